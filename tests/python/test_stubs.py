"""The stubs say what the module has, and everything public has a text."""

import ast
import inspect
from pathlib import Path

import lathe
from lathe import _lathe

STUBS = ast.parse((Path(lathe.__file__).parent / "_lathe.pyi").read_text())


def members(body):
    return {node.name: node for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}


def is_typed_dict(node):
    return any(isinstance(base, ast.Name) and base.id == "TypedDict" for base in node.bases)


def public(names):
    return {name for name in names if not name.startswith("_")}


STUBBED = {
    name: node
    for name, node in members(STUBS.body).items()
    if not (isinstance(node, ast.ClassDef) and is_typed_dict(node))
}


def test_the_stubs_have_what_the_module_has():
    assert set(STUBBED) == public(dir(_lathe))
    assert set(lathe.__all__) == set(STUBBED) | {"Run"}


def test_classes_have_the_members_of_their_stubs():
    for name, node in STUBBED.items():
        if isinstance(node, ast.ClassDef) and name != "Error":
            assert public(members(node.body)) == public(vars(getattr(_lathe, name))), name


def test_functions_have_the_arguments_of_their_stubs():
    for name, node in STUBBED.items():
        if isinstance(node, ast.FunctionDef) and name not in ("space", "load_models"):
            arguments = [a.arg for a in node.args.args + node.args.kwonlyargs]
            text = getattr(_lathe, name).__doc__.splitlines()[0]
            for argument in arguments:
                assert f"{argument}: " in text, (name, argument)


def test_everything_public_has_a_text():
    for name in lathe.__all__:
        thing = getattr(lathe, name)
        assert inspect.getdoc(thing), name
        assert thing.__module__ == "lathe"
        if inspect.isclass(thing) and name != "Error":
            for member in public(vars(thing)):
                text = inspect.getdoc(getattr(thing, member)) or ""
                assert text and "\n\n" + "None" not in text, (name, member)


def test_version():
    assert lathe.__version__.count(".") == 2
