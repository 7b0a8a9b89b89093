"""Trained networks as folders, and as repositories of the hub."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

import gmoe
from gmoe.common.files import replace_text
from gmoe.common.hub import folder_of
from gmoe.common.model_card import ModelCard
from gmoe.common.model_folder import (
    CARD,
    WEIGHTS,
    arguments_of,
    make_module,
    plain,
    read_config,
    read_weights,
    write_config,
    write_weights,
)
from gmoe.common.require import require
from gmoe.common.shown import shown

if TYPE_CHECKING:
    from typing_extensions import Self


class Pretrained(nn.Module):
    """The three methods of ``huggingface_hub.PyTorchModelHubMixin``, for
    networks that are imported without it: it is needed for the hub alone.

    A network is saved as its class, its arguments, and its weights in
    safetensors. Unlike that mixin, this one never reads a pickle, and refuses
    a file whose names or shapes are not those of the network.
    """

    _arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError:  # The call of '__init__' says what is wrong.
            return self
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                arguments.update(arguments.pop(name))
        self.__dict__['_arguments'] = arguments
        return self

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        *,
        config: None = None,
        model_card_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes the network to a folder: ``config.json``,
        ``model.safetensors`` and, where there is none, the model card
        ``README.md``.

        Args:
            save_directory: The folder, which is made where it is missing;
                ``~`` is the home.
            config: Left out: the arguments are known.
            model_card_kwargs: What the model card says: :obj:`data`,
                :obj:`split`, :obj:`scores` (by name), :obj:`license`, as
                :class:`~gmoe.common.model_card.ModelCard` takes them.

        Raises:
            ImportError: If ``safetensors`` is not installed.
            ValueError: If the network is no longer what its arguments make,
                an argument is no plain value, or the folder cannot be
                written.
        """
        if config is not None:
            raise ValueError(
                "'config' must be left out, as the arguments of the network "
                f'are saved, got {shown(config)}'
            )
        arguments = self._checked_arguments()
        card = str(self._card(**dict(model_card_kwargs or {})))
        folder = Path(save_directory).expanduser()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_weights(folder / WEIGHTS, self.state_dict())
            write_config(
                folder,
                {
                    'model': type(self).__name__,
                    'gmoe_version': gmoe.__version__,
                    'arguments': arguments,
                },
            )
            if not (folder / CARD).exists():  # It may have been written on.
                replace_text(folder / CARD, card)
        except OSError as error:
            raise ValueError(
                "'save_directory' must be a folder that can be written to, "
                f"got '{folder}': {error}"
            ) from error

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        map_location: str | torch.device = 'cpu',
        **model_kwargs: Any,
    ) -> Self:
        """Reads a network that :meth:`save_pretrained` or
        :meth:`push_to_hub` has written, in evaluation mode.

        Args:
            source: A folder, or the name of a repository of the hub.
            revision: Its branch, tag or commit.
            token: The token of the hub. (default: the one of its login)
            cache_dir: Where copies of the hub's files are kept.
            force_download: Whether to fetch them again.
            local_files_only: Whether to use copies alone.
            map_location: The device of the network.
            **model_kwargs: Arguments that replace those of the folder, such
                as ``dropout=0.0``.

        Raises:
            ImportError: If ``safetensors`` is not installed, or, for the hub,
                ``huggingface_hub``.
            ValueError: If there is no such network, it is of another class or
                of a newer version, or its files are damaged.
        """
        folder = folder_of(
            source,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
        )
        config = read_config(folder)
        arguments = arguments_of(config, cls.__name__, folder)
        arguments.update(model_kwargs)
        network = make_module(cls, arguments, read_weights(folder), folder)
        return network.to(map_location).eval()

    def push_to_hub(self, repo_id: str, **kwargs: Any) -> str:
        """Writes the network to a repository of the hub, which is made where
        it is missing.

        Args:
            repo_id: Its name, such as ``user/network``.
            **kwargs: What ``huggingface_hub.ModelHubMixin.push_to_hub``
                takes: :obj:`private`, :obj:`token`, :obj:`commit_message`,
                :obj:`branch`, :obj:`create_pr`, :obj:`model_card_kwargs`.

        Returns:
            The address of the commit.

        Raises:
            ImportError: If ``huggingface_hub`` is not installed.
            ValueError: As of :meth:`save_pretrained`.
        """
        self._checked_arguments()  # Before there is a repository.
        mixin = require('huggingface_hub', 'mol').ModelHubMixin
        return str(mixin.push_to_hub(self, repo_id, **kwargs))

    def _checked_arguments(self) -> dict[str, Any]:
        arguments = plain(self._arguments, 'arguments')
        with torch.device('meta'):
            made = type(self)(**arguments).state_dict()
        mine = self.state_dict()
        for name in sorted({*made, *mine}):
            if (
                name not in made
                or name not in mine
                or (made[name].shape != mine[name].shape)
            ):
                raise ValueError(
                    f'{type(self).__name__} must be as its arguments make it '
                    f"to be saved, got another '{name}': save its state_dict "
                    'and the code that has changed it'
                )
        return arguments

    def _card(self, **kwargs: Any) -> ModelCard:
        name = type(self).__name__
        wanted = ('data', 'split', 'scores', 'license', 'title')
        for key in kwargs:
            if key not in wanted:
                raise ValueError(
                    f"'model_card_kwargs' must have keys among {wanted}, got "
                    f'{shown(key)}'
                )
        return ModelCard(
            **{
                'title': name,
                'what': (
                    f'A {name} of gmoe, '
                    'graph mixtures of experts on PyTorch Geometric.'
                ),
                'usage': (
                    f'from gmoe.nn import {name}\n\n'
                    f"network = {name}.from_pretrained('FOLDER or user/name')"
                ),
                'settings': self._arguments,
                'tags': ('graph-neural-network', 'mixture-of-experts'),
                **kwargs,
            }
        )
