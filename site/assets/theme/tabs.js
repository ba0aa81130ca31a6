// From mkdocs-material 9.8 (MIT licence), which has it inside every page, where the Content-Security-Policy refuses it.
var target=document.getElementById(location.hash.slice(1));target&&target.name&&(target.checked=target.name.startsWith("__tabbed_"))
