"""How `tools/check` divides the tests among its workers (pytest -n, --dist loadgroup)."""

import pytest


# Before pytest-xdist's own hook, which reads the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The tests of one file stay together, since they share what they boot; and so do those under KVM,
    wherever they are. Those take longest, so they are first."""

    def under_kvm(item):
        return any(name.startswith("kvm") for name in item.fixturenames)

    items.sort(key=lambda item: not under_kvm(item))
    for item in items:
        group = "kvm" if under_kvm(item) else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
