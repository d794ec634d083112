import { BenchDatabase } from './bench-database.js';
import { Load } from './load.js';
import { preparePeers } from './prepare-peers.js';
import { scenarios } from './requests.js';
import { RunningService } from './running-service.js';
import { serviceKinds } from './service-kinds.js';
export async function main(_w: readonly string[]) {
  preparePeers();
  await using db = await BenchDatabase.start();
  await using load = new Load();
  for (const k of serviceKinds) {
    await using s = await RunningService.start(k, { databaseUrl: db.url });
    console.log(k.name, s.bootMs, s.residentMb);
    for (const scenario of scenarios) {
      await load.run({ port: s.port, connections: 16, scenario, requests: 500 });
      const c = s.cpuUs;
      const r = await load.run({ port: s.port, connections: 16, scenario, requests: 1000 });
      const cpu = (s.cpuUs - c) / r.requests;
      const a = await s.allocatedBytesOf(() => load.run({ port: s.port, connections: 1, scenario, requests: 500 }));
      console.log(scenario, JSON.stringify(r), cpu, a / 500);
    }
  }
  return 0;
}
