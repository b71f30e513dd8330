"""Find the manifest of a sweep that is to be resumed: in the store, or in the spool folder here."""

from __future__ import annotations

from l2sweep.errors import RequestError
from l2sweep.records.store.address import is_url, local_folder
from l2sweep.records.store.object_store import StoreError
from l2sweep.records.store.place import Place, place_of
from l2sweep.sweep.state.manifest import Manifest, load_manifest, manifest_files


def manifest_anywhere(results_dir: str, resume: str) -> Manifest:
    """Return the manifest of a sweep.

    A sweep that was killed before its first upload is only in the spool folder; one that another machine has
    begun is only in the store. Of two manifests, the one that was written later is returned.

    Args:
        results_dir: Folder or URL of the results.
        resume: As in :func:`l2sweep.sweep.state.manifest.load_manifest`.

    Raises:
        RequestError: As :func:`load_manifest`, or the store cannot be used.
    """
    if not is_url(results_dir):
        return load_manifest(results_dir, resume)
    places: list[Place] = [place_of(results_dir), local_folder(results_dir)]
    found: list[tuple[int, Manifest]] = []
    problem = RequestError([f"resume={resume}: {results_dir} contains no such sweep"])
    for place in places:
        try:
            manifest = load_manifest(place, resume)
            (file,) = manifest_files(place, manifest.sweep_id)
            found.append((file.stat().st_mtime_ns, manifest))
        except (FileNotFoundError, ValueError):  # it was removed just now
            continue
        except StoreError as error:
            raise RequestError([f"results_dir={error}"]) from error
        except RequestError as error:
            problem = problem if place is places[-1] else error
    if not found:
        raise problem
    return max(found, key=lambda one: one[0])[1]
