"""What can't be saved is one sentence, and a failure loses nothing that was there."""

import errno
import os
import resource
import signal
import stat
from contextlib import contextmanager

import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

import spectragan
from spectragan import ModelFileError, load


def test_an_unfitted_model_is_not_saved(models, tmp_path):
    for model in models.values():
        if isinstance(model, BaseEstimator):
            with pytest.raises(NotFittedError):
                type(model)().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_value_that_is_no_data_is_refused(domains, tmp_path):
    step = spectragan.NoiseInjector(50).fit(domains[1])
    step.random_state = lambda: 4
    message = "NoiseInjector can't be saved: `random_state` must be .* got builtins.function; use"
    with pytest.raises(ModelFileError, match=message):
        step.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_an_attribute_of_a_user_is_named(domains, tmp_path):
    step = spectragan.SkyLineMasker([(5000, 5010)]).fit(domains[1])
    step.note = "mine"
    with pytest.raises(ModelFileError, match=r"got note; delete it first .`del estimator.note`"):
        step.save(tmp_path / "model")


def test_saving_replaces_a_file_and_leaves_no_other(models, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("old")
    models["MeanShiftTranslator"].save(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    assert load(path).n_components == 5


def test_a_link_is_followed(models, tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    models["MeanShiftTranslator"].save(link)
    assert link.is_symlink()
    assert load(target).n_components == 5


def test_a_saved_file_has_the_permissions_of_any_new_file(models, tmp_path):
    (tmp_path / "other").write_text("x")
    models["MeanShiftTranslator"].save(tmp_path / "model")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


@contextmanager
def small_files():
    """Let no file grow beyond 2000 bytes: writing then fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def check_that_the_old_file_stays(models, folder, trouble):
    path = folder / "model"
    models["LinearTranslator"].save(path)
    before = path.read_bytes()
    with trouble, pytest.raises(ModelFileError, match=r"room and permission; got '.*': .*; choose"):
        models["CycleGANTranslator"].save(path)
    assert [p.name for p in folder.iterdir()] == ["model"]
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_disk_that_fills_up_leaves_the_old_file(models, tmp_path):
    check_that_the_old_file_stays(models, tmp_path, small_files())


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file(call, models, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    @contextmanager
    def trouble():
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            yield

    check_that_the_old_file_stays(models, tmp_path, trouble())


def test_an_interrupt_leaves_nothing(models, tmp_path, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        models["LinearTranslator"].save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_place_that_can_not_be_written_is_one_sentence(models, tmp_path):
    for path in (tmp_path / "no" / "folder", tmp_path):
        with pytest.raises(ModelFileError, match=r"room and permission; got '.*': .*; choose"):
            models["LinearTranslator"].save(path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_sentence(models, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ModelFileError, match="Permission denied; choose"):
            models["LinearTranslator"].save(tmp_path / "model")
    finally:
        tmp_path.chmod(0o700)


def test_a_missing_file_is_said_by_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelFileError, match=r"must be one file; got a folder; give a file in it."):
        load(tmp_path)
