"""CONTROL: what only a test platform can do: worlds from files, the control plane, time."""
