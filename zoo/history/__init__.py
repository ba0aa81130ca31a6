"""What was measured over time: the store of all benchmark reports, alarms and changes of level."""
