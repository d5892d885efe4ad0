"""Drives the simulator with the official Python SDK, unchanged: one line per step, `<step> <what came>`."""

import json
import os
import sys

from tencentcloud.cdb.v20170320 import cdb_client, models
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

BROKEN = ("ClientNetworkError", "ChunkedEncodingError", "ConnectionError")


def client(port, secret_id=None, key=None, region="ap-guangzhou", verb="POST"):
    http = HttpProfile(protocol="http", endpoint="127.0.0.1:%s" % port, reqMethod=verb, reqTimeout=10)
    profile = ClientProfile(httpProfile=http)
    keys = credential.Credential(secret_id or os.environ["SIM_ID"], key or os.environ["SIM_KEY"])
    return cdb_client.CdbClient(keys, region, profile)


def create(sdk, instance, method="physical", **more):
    request = models.CreateBackupRequest()
    request.from_json_string(json.dumps(dict(InstanceId=instance, BackupMethod=method, **more)))
    return str(sdk.CreateBackup(request).BackupId)


def listed(sdk, instance):
    request = models.DescribeBackupsRequest()
    request.InstanceId = instance
    reply = sdk.DescribeBackups(request)
    return "%d %s" % (reply.TotalCount, [(b.BackupId, b.Way, b.Type, b.ManualBackupName, b.Status) for b in reply.Items])


def step(name, call):
    try:
        print(name, call())
    except TencentCloudSDKException as error:
        # A reply that breaks off has a word of its own in each version of the SDK.
        print(name, "broken" if error.get_code() in BROKEN else error.get_code())


def main(port, closed):
    sdk = client(port)
    table = [{"Db": "订单库", "Table": "明细"}, {"Db": "billing"}]
    step("create", lambda: create(sdk, "cdb-plain001", ManualBackupName="夜-1"))
    step("list", lambda: listed(sdk, "cdb-plain001"))
    step("tables", lambda: create(sdk, "cdb-plain002", "logical", BackupDBTableList=table, ManualBackupName="t"))
    step("get", lambda: listed(client(port, verb="GET"), "cdb-plain001"))
    step("busy", lambda: create(sdk, "cdb-plain001", ManualBackupName="夜-2"))
    step("throttled", lambda: listed(sdk, "cdb-throt001"))
    step("ambiguous", lambda: create(sdk, "cdb-ambig001"))
    step("gateway", lambda: create(sdk, "cdb-ambig002"))
    step("reset", lambda: create(sdk, "cdb-ambig003"))
    step("refused", lambda: create(client(closed), "cdb-plain001"))
    step("account", lambda: create(client(port, key="wrong"), "cdb-plain001"))
    step("stranger", lambda: create(client(port, secret_id="AKIDnobody"), "cdb-plain001"))
    step("rejected", lambda: create(sdk, "cdb-plain001", "snapshot"))
    step("elsewhere", lambda: create(client(port, region="ap-shanghai"), "cdb-plain001"))
    step("unknown", lambda: create(sdk, "cdb-nowhere1"))


main(sys.argv[1], sys.argv[2])
