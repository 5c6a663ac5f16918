"""The help texts in Japanese of container groups."""

from __future__ import annotations

from collections.abc import Mapping

HELP_CONTAINERS_JA: Mapping[str, str] = {
    "Container groups: on record until the pool has a platform that runs containers.": "コンテナーグループ。プラットフォームが提供されるまでは登録だけです。",
    "List the container groups.": "コンテナーグループを一覧します。",
    "Show one container group.": "コンテナーグループを表示します。",
    "Put a container group on record.": "コンテナーグループを登録します。",
    "Let other containers, or another number of copies, run instead.": "コンテナーの内容や複製数を変更します。",
    "Delete a container group.": "コンテナーグループを削除します。",
    "The container group's name or id.": "コンテナーグループの名前か ID",
    "What the group is to be called.": "グループの名前",
    "What is to run (YAML): replicas, and containers with name, image, vcpus, memory_mib and ports.": "動かす内容(YAML): replicas と containers(name、image、vcpus、memory_mib、ports)",
}
