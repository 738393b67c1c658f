"""`python -m sculpt_plugin` is the command `sculpt`."""

from sculpt_plugin.cli import main

if __name__ == "__main__":
    main()
