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
    "REGION=KUBECONFIG of what runs a region's container groups, so that their volumes are backed up; repeatable.": "リージョンのコンテナーグループを動かす Kubernetes(ボリュームのバックアップに使用)。リージョン=kubeconfigのパス。繰り返し指定できます。",
    "The image, with a python3, of the pods that read and write volumes; with --kubernetes.": "ボリュームを読み書きするポッドのイメージ(python3 を含むもの)。--kubernetes とともに指定します。",
}
