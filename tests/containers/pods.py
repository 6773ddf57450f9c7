"""A pod template of deploy/k8s as flags of `podman run`: its settings, and its volumes as a kubelet makes them."""

import json
import os


def template(objects, name):
    """(pod, its one container) of the workload of that name."""
    [found] = [thing for thing in objects if thing["metadata"]["name"] == name and "template" in thing.get("spec", {})]
    pod = found["spec"]["template"]["spec"]
    [container] = pod["containers"]
    return pod, container


def config(objects, name):
    [data] = [thing["data"] for thing in objects if (thing["kind"], thing["metadata"]["name"]) == ("ConfigMap", name)]
    return data


def run_flags(objects, name, secrets, files, directory):
    """`secrets` are the values of variables, `files` those of projected Secrets; volumes that are no memory go to `directory`."""
    pod, container = template(objects, name)
    rights = container["securityContext"]
    assert rights == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    flags = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges",
             "--user={runAsUser}:{runAsGroup}".format(**pod["securityContext"])]
    limits = container["resources"]["limits"]
    flags.append(f"--memory={size(limits['memory'])}")
    if "cpu" in limits:
        flags.append(f"--cpus={limits['cpu']}")
    if "terminationGracePeriodSeconds" in pod:
        flags.append(f"--stop-timeout={pod['terminationGracePeriodSeconds']}")
    for source in container.get("envFrom", []):
        flags += [f"--env={key}={value}" for key, value in config(objects, source["configMapRef"]["name"]).items()]
    flags += [f"--env={variable['name']}={secrets[variable['name']]}" for variable in container.get("env", [])
              if variable["name"] in secrets or not variable["valueFrom"]["secretKeyRef"].get("optional")]
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    for mount in container.get("volumeMounts", []):
        volume, path = volumes[mount["name"]], mount["mountPath"]
        if volume.get("emptyDir", {}).get("medium") == "Memory":
            flags.append(f"--tmpfs={path}:rw,mode=1777,size={size(volume['emptyDir']['sizeLimit'])}")
        else:
            made = make_volume(volume, objects, files, directory / name, pod["securityContext"]["fsGroup"])
            flags.append(f"--volume={made}:{path}:{'ro' if mount.get('readOnly') else 'rw'}")
    if "command" in container:
        flags.append(f"--entrypoint={json.dumps(container['command'])}")
    return flags


def size(text):
    """podman says m where Kubernetes says Mi."""
    return text.removesuffix("i").lower()


def make_volume(volume, objects, files, directory, group):
    """Root's, and the group's as far as a kubelet gives it rights."""
    directory.mkdir()
    if "projected" in volume:
        for source in volume["projected"]["sources"]:
            found = config(objects, source["configMap"]["name"]) if "configMap" in source else files[source["secret"]["name"]]
            for name, text in found.items():
                (directory / name).write_text(text)
                (directory / name).chmod(volume["projected"]["defaultMode"])
                os.chown(directory / name, 0, group)
        directory.chmod(0o2750)
    else:
        directory.chmod(0o2770)
    os.chown(directory, 0, group)
    return directory
