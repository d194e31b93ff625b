// A client that is made from the proto files alone. Arguments: address, folder of the protos, path of node_modules.
import { createRequire } from "node:module";
const require = createRequire(process.argv[4] + "/");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const definition = loader.loadSync("ucoder/v1/consensus.proto", { includeDirs: [process.argv[3]], keepCase: true });
const { ucoder } = grpc.loadPackageDefinition(definition);
const service = new ucoder.v1.ConsensusService(process.argv[2], grpc.credentials.createInsecure());
const programs = ["def f(x): return x * 3", "def f(x): return x + x + x", "def f(x): return x ** 3"];
const request = { programs, tests: [{ code: "assert f(1) == 3" }, { code: "f(4)" }], entry_point: "f" };

service.Select(request, { deadline: Date.now() + 60000 }, (error, answer) => {
  if (error) throw error;
  const unary = { selected: answer.verdict.selected, clusters: answer.verdict.clusters.map((c) => c.members) };
  const seen = [];
  const stream = service.SelectStream({ select: request });
  stream.on("data", (message) => seen.push(message.final));
  stream.on("error", (broken) => { throw broken; });
  stream.on("end", () => {
    service.Select({ programs: [] }, (refusal) => {
      console.log(JSON.stringify({ ...unary, finals: seen, code: refusal.code, details: refusal.details }));
      service.close();
    });
  });
});
