"""deploy/k8s: the manifests agree with hooksd and with each other."""

import configparser
import re
import subprocess
from ipaddress import ip_network

import pytest
import yaml

from harness.daemon import REPOSITORY, run_program
from harness.documents import blocks
from harness.kustomize import apply, documents, render
from harness.options import option_defaults, refusal, ring_file_bytes, seconds, size
from harness.pgbouncer import PgBouncer

pytestmark = pytest.mark.unsanitized("tests files of deploy/ and docs/ only")

K8S = REPOSITORY / "deploy/k8s"
SERVERS = [K8S / "base", *sorted((K8S / "overlays").iterdir())]
DIRECTORIES = [*SERVERS, K8S / "migrate", REPOSITORY / "deploy/podman"]
WORKLOADS = ("Deployment", "StatefulSet", "Job")
VERSION = run_program("hooksd", "--version").stdout.split()[-1]

each_kustomization = pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
each_server = pytest.mark.parametrize("directory", SERVERS, ids=lambda path: path.name)


def of_kind(objects, *kinds):
    return [thing for thing in objects if thing["kind"] in kinds]


def one(objects, kind, name="hooksd"):
    [found] = [thing for thing in of_kind(objects, kind) if thing["metadata"]["name"] == name]
    return found


def server(objects):
    [workload] = [thing for thing in of_kind(objects, "Deployment", "StatefulSet") if thing["metadata"]["name"] == "hooksd"]
    [container] = workload["spec"]["template"]["spec"]["containers"]
    return workload, container


def example_secrets():
    return {secret["metadata"]["name"]: secret["stringData"] for secret in documents(K8S / "secret.example.yaml")}


def mounted_secret(container, objects, path):
    """The content of a file that a Secret mounts, from the example secrets."""
    directory, key = path.rsplit("/", 1)
    [mount] = [mount for mount in container["volumeMounts"] if mount["mountPath"] == directory]
    [volume] = [volume for workload in of_kind(objects, *WORKLOADS)
                for volume in workload["spec"]["template"]["spec"]["volumes"] if volume["name"] == mount["name"]]
    return example_secrets()[volume["secret"]["secretName"]][key]


def environment(container, objects):
    """The container's settings, with the example secrets, including those in files."""
    settings = {}
    for source in container.get("envFrom", []):
        settings |= one(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container.get("env", []):
        if variable["name"].endswith("_FILE"):
            assert variable["name"] in option_defaults()
            settings[variable["name"].removesuffix("_FILE")] = mounted_secret(container, objects, variable["value"])
            continue
        reference = variable["valueFrom"]["secretKeyRef"]
        settings[variable["name"]] = example_secrets()[reference["name"]][reference["key"]]
    for name in ("TLS_CERT_FILE", "TLS_KEY_FILE"):  # the example secrets lack these
        if name in settings:
            assert mounted_secret(container, objects, settings.pop(name))
    return settings


def probes(container):
    return {name: container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")}


def matches(selector, labels):
    return selector["matchLabels"].items() <= labels.items()


@each_kustomization
def test_hooksd_accepts_every_setting(directory):
    objects = render(directory)
    containers = [container for workload in of_kind(objects, *WORKLOADS)
                  for container in workload["spec"]["template"]["spec"]["containers"]
                  if container["image"].startswith("agentic-hooks-backend:")]
    assert len(containers) == 1
    settings = environment(containers[0], objects)
    assert "DATABASE_URL" in settings
    cpus = containers[0]["resources"]["limits"].get("cpu", "1")
    assert refusal({"ACCEPTORS": cpus} | settings) is None


@each_kustomization
def test_images_have_this_version(directory):
    objects = render(directory)
    for workload in of_kind(objects, *WORKLOADS):
        for container in workload["spec"]["template"]["spec"]["containers"]:
            assert container["image"] in (f"agentic-hooks-backend:{VERSION}", f"agentic-hooks-pgbouncer:{VERSION}")
        version = workload["metadata"]["labels"].get("app.kubernetes.io/version", VERSION)
        assert version == workload["spec"]["template"]["metadata"]["labels"].get("app.kubernetes.io/version", VERSION) == VERSION


@each_kustomization
def test_pods_keep_to_the_restricted_security_standard(directory):
    for workload in of_kind(render(directory), *WORKLOADS):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            assert "memory" in container["resources"]["limits"]
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}


@each_server
def test_probes_use_existing_paths(directory, hooksd):
    daemon = hooksd()
    _, container = server(render(directory))
    asked = {name: probe["httpGet"]["path"] for name, probe in probes(container).items()}
    assert asked == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    for monitor in of_kind(render(directory), "PodMonitor"):
        asked |= {"metrics": endpoint["path"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    for path in asked.values():
        assert daemon.get(path).status == 200


@each_server
def test_all_ports_agree(directory):
    objects = render(directory)
    workload, container = server(objects)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": int(environment(container, objects)["PORT"])}
    named = [probe["httpGet"]["port"] for probe in probes(container).values()]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    for service in of_kind(objects, "Service"):
        if service["spec"]["selector"].items() <= labels.items():
            named += [port["targetPort"] for port in service["spec"]["ports"]]
    for monitor in of_kind(objects, "PodMonitor"):
        named += [endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]]
    named += [port["port"] for rule in one(objects, "NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]]
    assert len(named) >= 5 and set(named) == {"http"}


@each_server
def test_the_stop_timeout_covers_a_drain(directory):
    objects = render(directory)
    workload, container = server(objects)
    command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "/bin/sleep"
    drain = int(environment(container, objects)["DRAIN_TIMEOUT_SECONDS"])
    assert workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= int(seconds) + drain + 5


@each_server
def test_a_stuck_process_is_replaced_before_its_pod(directory):
    _, container = server(render(directory))
    probe = container["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > seconds(option_defaults()["STUCK_AFTER_SECONDS"])


@each_server
def test_the_ring_fits_into_its_memory_volume(directory):
    objects = render(directory)
    workload, container = server(objects)
    settings = environment(container, objects)
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in workload["spec"]["template"]["spec"]["volumes"]}
    shm = volumes[mounted["/dev/shm"]]["emptyDir"]
    assert settings["RING_PATH"].startswith("/dev/shm/") and shm["medium"] == "Memory"
    assert 2 * ring_file_bytes(settings) <= size(shm["sizeLimit"])
    assert size(shm["sizeLimit"]) <= size(container["resources"]["limits"]["memory"]) / 2


@each_server
def test_acknowledged_events_are_only_on_storage_that_outlives_the_pod(directory):
    objects = render(directory)
    workload, container = server(objects)
    settings = environment(container, objects)
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    claims = {claim["metadata"]["name"]: size(claim["spec"]["resources"]["requests"]["storage"])
              for claim in workload["spec"].get("volumeClaimTemplates", [])}
    disk = claims.get(mounted[settings["DATA_DIR"]], 0)
    spool = size(settings["SPOOL_MAX_BYTES"])
    assert settings["ACK"] == "durable"
    assert (spool == 0) if disk == 0 else (0 < spool < disk - 64 * 2**20)
    assert (workload["kind"] == "StatefulSet") == (disk > 0) == (directory.name == "statefulset")


@each_server
def test_selectors_match_the_intended_pods(directory):
    objects = render(directory) + render(K8S / "migrate")
    pods = {workload["metadata"]["name"]: workload["spec"]["template"]["metadata"]["labels"]
            for workload in of_kind(objects, *WORKLOADS)}
    meets = lambda selector: {name for name, labels in pods.items() if matches(selector, labels)}
    for workload in of_kind(objects, "Deployment", "StatefulSet"):
        assert meets(workload["spec"]["selector"]) == {workload["metadata"]["name"]}
        for spread in workload["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert meets(spread["labelSelector"]) == {workload["metadata"]["name"]}
    for service in of_kind(objects, "Service"):
        assert meets({"matchLabels": service["spec"]["selector"]}) == {service["metadata"]["name"].removesuffix("-pods")}
    for thing in of_kind(objects, "PodDisruptionBudget", "PodMonitor"):
        assert meets(thing["spec"]["selector"]) == {thing["metadata"]["name"]}
    assert meets(one(objects, "NetworkPolicy")["spec"]["podSelector"]) == {"hooksd", "hooksd-migrate"}


@each_server
def test_there_are_three_replicas_unless_an_autoscaler_sets_the_number(directory):
    objects = render(directory)
    workload, _ = server(objects)
    scalers = of_kind(objects, "HorizontalPodAutoscaler")
    assert workload["spec"].get("replicas") == (None if scalers else 3)
    for scaler in scalers:
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == (workload["kind"], workload["metadata"]["name"])
        assert scaler["spec"]["minReplicas"] == 3
    if workload["kind"] == "StatefulSet":
        assert one(objects, "Service", workload["spec"]["serviceName"])["spec"]["clusterIP"] == "None"


@each_kustomization
def test_every_volume_and_every_reference_exists(directory):
    objects = render(directory)
    for workload in of_kind(objects, *WORKLOADS):
        pod = workload["spec"]["template"]["spec"]
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        assert volumes == {mount["name"] for container in pod["containers"] for mount in container.get("volumeMounts", [])}
        text = yaml.safe_dump(pod)
        for name in re.findall(r"secret(?:KeyRef)?:\n(?: +key: .*\n)? +name: (\S+)", text):
            assert name in example_secrets()
        for name in re.findall(r"configMap(?:Ref)?:\n +name: (\S+)", text):
            assert one(objects, "ConfigMap", name)
        if "serviceAccountName" in pod:
            assert one(objects, "ServiceAccount", pod["serviceAccountName"])


def test_the_database_url_can_be_mounted_as_a_file():
    objects = apply(K8S / "components/secret-file", render(K8S / "base"))
    workload, container = server(objects)
    [variable] = container["env"]
    assert variable["name"] == "DATABASE_URL_FILE" in option_defaults()
    [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "database"]
    [volume] = [volume for volume in workload["spec"]["template"]["spec"]["volumes"] if volume["name"] == "database"]
    directory, key = variable["value"].rsplit("/", 1)
    assert mount == {"name": "database", "mountPath": directory, "readOnly": True}
    assert key in example_secrets()[volume["secret"]["secretName"]]


def test_probes_and_services_use_https_with_tls():
    objects = render(K8S / "overlays/tls")
    _, container = server(objects)
    assert {probe["httpGet"]["scheme"] for probe in probes(container).values()} == {"HTTPS"}
    assert one(objects, "Service")["spec"]["ports"][0]["appProtocol"] == "https"
    settings = one(objects, "ConfigMap")["data"]
    assert {name: settings[name].rsplit("/", 1)[1] for name in settings if name.startswith("TLS_")} == {
        "TLS_CERT_FILE": "tls.crt", "TLS_KEY_FILE": "tls.key"}, "the keys of every Secret of type kubernetes.io/tls"


def test_all_components_can_be_combined():
    objects = render(K8S / "base")
    for name in ("webhooks", "tls", "secret-file", "pgbouncer", "podmonitor", "spool-volume"):
        objects = apply(K8S / "components" / name, objects)
    workload, container = server(objects)
    assert workload["kind"] == "StatefulSet" and refusal({"ACCEPTORS": "1"} | environment(container, objects)) is None
    volumes = [volume["name"] for volume in workload["spec"]["template"]["spec"]["volumes"]]
    mounts = [mount["name"] for mount in container["volumeMounts"]]
    assert sorted(mounts) == sorted(volumes + ["data"]) == sorted(set(mounts))


def test_webhooks_use_postgresql_and_their_keys_are_files():
    assert all(server(render(directory))[1]["env"][1:] == [] for directory in SERVERS if directory.name != "webhooks")
    objects = render(K8S / "overlays/webhooks")
    _, container = server(objects)
    settings = environment(container, objects)
    assert settings["HL_STORE_BACKEND"] == "postgres"
    assert {variable["name"] for variable in container["env"]} == {
        "DATABASE_URL", "HL_POSTGRES_URL_FILE", "HL_API_KEY_FILE", "HL_ADMIN_KEY_FILE", "HL_MASTER_KEY_FILE"}
    without = settings | {"HL_POSTGRES_URL": "", "DATABASE_URL": "", "STORAGE_TYPE": "jsonl"}
    assert "HL_POSTGRES_URL" in refusal(without), "hooksd refuses to start in a pod without a database"


def test_only_pods_with_webhooks_may_connect_to_customers_endpoints():
    def networks(directory):
        rules = one(render(directory), "NetworkPolicy")["spec"]["egress"]
        return [block["ipBlock"] for rule in rules for block in rule.get("to", [])]

    assert all(networks(directory) == [] for directory in SERVERS if directory.name != "webhooks")
    blocks = networks(K8S / "overlays/webhooks")
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "2000::/3"]
    for block in blocks:
        assert all(ip_network(network).subnet_of(ip_network(block["cidr"])) for network in block["except"])
    [rule] = [rule for rule in one(render(K8S / "overlays/webhooks"), "NetworkPolicy")["spec"]["egress"] if "to" in rule]
    assert rule["ports"] == [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 80}]


def test_the_network_policy_refuses_the_networks_that_the_guard_refuses():
    guard = (REPOSITORY / "api/network_guard.c").read_text()
    rows = re.findall(r"IPV4\((\d+), (\d+), (\d+), (\d+), (\d+)\),", guard)
    ipv4, ipv6 = [rule["to"] for rule in one(render(K8S / "overlays/webhooks"), "NetworkPolicy")["spec"]["egress"] if "to" in rule][0]
    assert len(rows) > 10 and ipv4["ipBlock"]["except"] == ["{}.{}.{}.{}/{}".format(*row) for row in rows]
    assert "global_ipv6 = {.count = 1, .items = {{{0x20}, 3}}}" in guard and ipv6["ipBlock"]["cidr"] == "2000::/3"
    refused = re.findall(r"\{\{(0x[^}]+)\}, (\d+)\}, /\*", guard)
    as_network = lambda prefix, bits: str(ip_network((int.from_bytes(bytes(int(byte, 16) for byte in prefix.split(", ")).ljust(16, b"\0"), "big"), int(bits))))
    assert ipv6["ipBlock"]["except"] == [as_network(*row) for row in refused]


def test_the_documents_commands_create_rules_from_all_files():
    [block] = [block for block in blocks((REPOSITORY / "docs/kubernetes.md").read_text()) if "PrometheusRule" in block]
    run = subprocess.run(["bash", "-euo", "pipefail", "-c", block.replace("kubectl apply -f -", "cat")], cwd=REPOSITORY,
                         capture_output=True, text=True, check=True, timeout=30)
    made = {rule["metadata"]["name"]: rule["spec"] for rule in yaml.safe_load_all(run.stdout)}
    assert made == {f"hooksd-{name}": documents(REPOSITORY / f"deploy/prometheus/{name}.yml")[0] for name in ("recording", "alerts")}


def test_every_manifest_is_used():
    named = set()
    for kustomization in K8S.rglob("kustomization.yaml"):
        [content] = documents(kustomization)
        here = kustomization.parent
        named |= {kustomization} | {here / name for name in content.get("resources", [])}
        named |= {here / patch["path"] for patch in content.get("patches", []) if "path" in patch}
    assert set(K8S.rglob("*.yaml")) - named == {K8S / "secret.example.yaml"}


def test_hooksd_stores_through_the_pgbouncer_of_the_manifests(empty_database, hooksd):
    ini = configparser.ConfigParser(inline_comment_prefixes=None)
    ini.read(K8S / "components/pgbouncer/pgbouncer.ini")
    settings = dict(ini["pgbouncer"])
    # Settings for the pod: its address, its file of users, a PostgreSQL with TLS.
    assert settings["listen_port"] == "6432" and settings["auth_file"] == "/etc/pgbouncer/userlist.txt"
    for name in ("listen_addr", "listen_port", "auth_file", "server_tls_sslmode"):
        del settings[name]
    assert settings["pool_mode"] == "transaction"
    assert int(settings["query_wait_timeout"]) < seconds(option_defaults()["STORE_TIMEOUT_MS"])
    bouncer = PgBouncer(empty_database.server, **settings).start()
    try:
        daemon = hooksd(DATABASE_URL=bouncer.url(empty_database))
        assert daemon.post_batch([{"event_type": "a", "session_id": "s"}] * 20).status == 202
        assert empty_database.count() == 20
        daemon.stop()
    finally:
        bouncer.remove()
