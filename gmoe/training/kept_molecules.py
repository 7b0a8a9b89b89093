"""What a checkpoint keeps of the molecules that a network was trained on."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule

from gmoe.common.shown import shown
from gmoe.datasets.molecules.info import MoleculeInfo

#: The key in a checkpoint.
MOLECULES = 'molecules'
#: What has to be the same when a training goes on, or is evaluated.
_SAME = ('targets', 'task_type', 'classes', 'features', 'featurization')
#: Of OGB's molecules: a network may be evaluated on another dataset.
_SAME_OF_OGB = ('features', 'featurization')


class KeepsMolecules(LightningModule):
    """A LightningModule whose checkpoints say what its data module's
    ``molecules`` says, so that predictions need no configuration again. The
    data of a training that goes on, or is evaluated, has to say the same."""

    #: As of the data module or the checkpoint, plain values, if any.
    molecules: dict[str, Any] | None = None

    def setup(self, stage: str) -> None:
        """Takes what the data says."""
        super().setup(stage)
        data = getattr(self.trainer, 'datamodule', None)
        given = getattr(data, 'molecules', None)
        if given is not None:
            self.molecules = given

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what is known."""
        super().on_save_checkpoint(checkpoint)
        if self.molecules is not None:
            checkpoint[MOLECULES] = self.molecules

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes what the checkpoint says, or compares it with the data.

        Raises:
            ValueError: If the checkpoint is of other targets or features.
        """
        super().on_load_checkpoint(checkpoint)
        carried = checkpoint.get(MOLECULES)
        if carried is None:
            return
        info = info_of(carried)
        if self.molecules is not None and self._trainer is not None:
            given = info_of(self.molecules)
            for name in _SAME_OF_OGB if is_of_ogb(carried) else _SAME:
                wanted, got = getattr(info, name), getattr(given, name)
                if name == 'features':
                    # Another version of RDKit has been warned of.
                    wanted, got = _unversioned(wanted), _unversioned(got)
                if wanted != got:
                    raise ValueError(
                        f"'{name}' of the data must be {shown(wanted)}, as in "
                        f'the checkpoint, got {shown(got)}'
                    )
        self.molecules = carried


def info_of(molecules: Any) -> MoleculeInfo:
    """The columns and the kind of the targets, of what a checkpoint keeps.

    Args:
        molecules: The values in the checkpoint, which somebody else may have
            written.

    Raises:
        ValueError: If they are not what they must be.
    """
    info = molecules.get('info') if isinstance(molecules, dict) else None
    return MoleculeInfo.from_dict(info)


def is_of_ogb(molecules: Any) -> bool:
    """Whether they are of a dataset of OGB, whose molecules are in an order
    of their own.

    Args:
        molecules: The values in the checkpoint.
    """
    return isinstance(molecules, dict) and molecules.get('is_ogb') is True


def _unversioned(features: dict[str, Any] | None) -> dict[str, Any] | None:
    if features is None:
        return None
    return {k: v for k, v in features.items() if k != 'rdkit'}
