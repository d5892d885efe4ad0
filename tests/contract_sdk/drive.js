// Drives the simulator with the official Node SDK, unchanged: one line per step, `<step> <what came>`.
// The SDK takes the service from the host's first label and signs the host without its port, hence a name. Where the machine's resolver
// does not know names below `localhost` (RFC 6761 says what they are), it is told here.
"use strict";

const dns = require("dns");
const ask = dns.lookup;
dns.lookup = (host, options, done) => {
  const [how, then] = typeof options === "function" ? [{}, options] : [options, done];
  if (!host.endsWith(".localhost")) return ask(host, how, then);
  return how.all ? then(null, [{ address: "127.0.0.1", family: 4 }]) : then(null, "127.0.0.1", 4);
};

const { CommonClient } = require("tencentcloud-sdk-nodejs-common");

function client(port, key = process.env.SIM_KEY) {
  return new CommonClient(`cdb.localhost:${port}`, "2017-03-20", {
    credential: { secretId: process.env.SIM_ID, secretKey: key },
    region: "ap-guangzhou",
    profile: { httpProfile: { protocol: "http://", endpoint: `cdb.localhost:${port}`, reqTimeout: 10 } },
  });
}

async function step(name, call) {
  try {
    console.log(name, await call());
  } catch (error) {
    console.log(name, error.code);
  }
}

async function main(port) {
  const sdk = client(port);
  const create = (over, InstanceId, BackupMethod = "physical") =>
    over.request("CreateBackup", { InstanceId, BackupMethod, ManualBackupName: "夜-1" }).then((reply) => reply.BackupId);
  await step("create", () => create(sdk, "cdb-plain001"));
  await step("list", () => sdk.request("DescribeBackups", { InstanceId: "cdb-plain001" }).then((reply) => reply.Items[0].ManualBackupName));
  await step("busy", () => create(sdk, "cdb-plain001"));
  await step("throttled", () => sdk.request("DescribeBackups", { InstanceId: "cdb-throt001" }));
  await step("ambiguous", () => create(sdk, "cdb-ambig001"));
  await step("account", () => create(client(port, "wrong"), "cdb-plain001"));
  await step("rejected", () => create(sdk, "cdb-plain001", "snapshot"));
}

main(process.argv[2]);
