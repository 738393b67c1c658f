"""How the site is built: `make docs` at the top of the project."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

import sculpt_plugin  # noqa: E402

project = "Sculpt"
author = "The Sculpt authors"
copyright = author
version = release = sculpt_plugin.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    # Our own, in docs/extensions.
    "generated_pages",
    "source_signatures",
    "names_in_docstrings",
    "short_names",
    "offline_check",
]
exclude_patterns = ["_build", "generated", "tutorials/sg_execution_times.rst"]
nitpicky = True
default_role = "literal"
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist", "substitution", "attrs_inline"]

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_class_signature = "mixed"
autodoc_typehints = "none"  # extensions/source_signatures.py writes them
add_module_names = False
toc_object_entries_show_parents = "hide"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_attr_annotations = False
napoleon_custom_sections = [
    ("Attributes", "params_style"),
    ("Reference", "notes_style"),
]
maximum_signature_line_length = 72

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "tutorials",
    "filename_pattern": r"/tutorial_",
    "ignore_pattern": r"^(?!tutorial_)",
    "within_subsection_order": "tutorial_order.TutorialOrder",
    "only_warn_on_example_error": False,
    "backreferences_dir": None,
    "doc_module": ("sculpt_plugin",),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,
    "image_srcset": ["2x"],
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("matplotlib",),
}

html_theme = "furo"
html_title = f"Sculpt {version}"
html_static_path = ["static"]
html_extra_path = ["generated/site"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5c8c",
        "color-brand-content": "#0b5c8c",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc4ef",
        "color-brand-content": "#7cc4ef",
    },
}
