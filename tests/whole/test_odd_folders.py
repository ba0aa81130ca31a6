"""Good model folders of odd shapes, tried as a new user would: zoo new, zoo check, zoo release."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path

import pytest
import tinyzoo
import yaml

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")
pytest.importorskip("gguf")
tokenizers = pytest.importorskip("tokenizers")

WORDS = 531
"""Not a multiple of 32."""
TURNS = ("<|start|>", "<|end|>")
TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


def words(size: int = WORDS) -> tokenizers.Tokenizer:
    """Byte-level BPE that splits text as GPT-2 does."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    # Pairs of letters, not the texts of the zoo: those would become a token for each word.
    made.train_from_iterator([a + b + c for a in string.ascii_lowercase for b in "aeiou" for c in "nrst"], trainer)
    return made


def one_head_and_turns_at_the_end(folder: Path) -> str:
    """One layer, one KV head, heads wider than the model's width says, bf16 in shards, markers after all words."""
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words(), eos_token="<|endoftext|>")
    tokenizer.add_special_tokens({"additional_special_tokens": list(TURNS)})
    tokenizer.eos_token, tokenizer.chat_template = TURNS[1], TEMPLATE
    tokenizer.save_pretrained(folder)
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=1, head_dim=32, max_position_embeddings=512, tie_word_embeddings=False,
        eos_token_id=len(tokenizer) - 1, bos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    transformers.Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder, max_shard_size="60KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    return "chat"


def legacy_words_without_template(folder: Path) -> str:
    """vocab.json and merges.txt without tokenizer.json, and nothing but a configuration of the model."""
    folder.mkdir(parents=True)
    words().model.save(str(folder))
    settings = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 512}
    named = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | named), encoding="utf-8")
    size = len(json.loads((folder / "vocab.json").read_text(encoding="utf-8")))
    config = transformers.GPT2Config(
        vocab_size=size, n_embd=48, n_layer=2, n_head=3, n_positions=512, bos_token_id=0, eos_token_id=0
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    return "completion"


@pytest.mark.long
@pytest.mark.parametrize("make", [one_head_and_turns_at_the_end, legacy_words_without_template])
def test_a_good_folder_of_an_odd_shape_is_released(make: Callable[[Path], str], tmp_path: Path) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    torch.manual_seed(1)
    task = make(zoo / "models" / "odd")
    new = tinyzoo.run(zoo, "new", "odd", "--source", "file:models/odd", "--licence", "Apache-2.0")
    assert new.returncode == 0, new.stderr
    path = zoo / "recipes" / "odd.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert recipe["task"] == task
    small = tinyzoo.plain_recipe(zoo)
    recipe |= {name: small[name] for name in ("summary", "corpus", "quantize", "evaluate", "benchmark", "probes")}
    recipe["gates"] = [{"metric": "kld_mean_nats", "file": "Q8_0", "at_most": 1.0}]
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    checked = tinyzoo.run(zoo, "check", "recipes/odd.yaml")
    assert checked.returncode == 0, checked.stdout
    done = tinyzoo.run(zoo, "release", "odd")
    assert done.returncode == 0, done.stderr[-3000:]
    assert tinyzoo.tree(zoo / "build/hub")
