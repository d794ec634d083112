import type { ClientPlan, Fault, Scenario } from './scenario.ts';

/** What a scenario is, in lines of English. */
export function inWords({
  seed,
  theme,
  durationMs,
  instances,
  standby,
  server,
  pace,
  clients,
  ...rest
}: Scenario): string[] {
  const { faults, service, retry, listens, migratesAtMs } = rest;
  return [
    `Seed ${seed}, about ${theme}: ${instances} instances, ${clients.length} clients, ${durationMs / 1_000} s of requests and faults.`,
    `Standby: ${standby}. ${losses(server.lazyFlushMs)} At most ${server.maxConnections} connections.`,
    `The network takes ${pace.latencyMs} ms one way, and up to a few times ${pace.jitterMs} ms more.`,
    ...(listens ? ['The instances listen, and units send messages.'] : []),
    ...(migratesAtMs === undefined ? [] : [`The instances migrate from ${migratesAtMs} ms on.`]),
    `Options of the service: ${JSON.stringify(service)}`,
    `Options of retry: ${JSON.stringify(retry)}`,
    ...clients.map(client => `  ${clientInWords(client)}`),
    faults.length === 0 ? 'No faults.' : 'Faults:',
    ...faults.map(fault => `  ${seconds(fault.atMs)}  ${faultInWords(fault)}`),
    '',
  ];
}

function losses(lazyFlushMs: number): string {
  if (lazyFlushMs === 0) return 'A crash loses nothing that was confirmed.';
  return `A crash may lose what was confirmed in the last ${lazyFlushMs} ms.`;
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(3).padStart(9)} s`;
}

function clientInWords({ number, thinkMs, timeoutMs, hangsUp, asksAgain, workloads, isolations }: ClientPlan): string {
  const levels = isolations.map(level => level ?? 'the default').join(', ');
  return `client ${number}: pauses ${thinkMs} ms on average, waits ${timeoutMs} ms, hangs up in ${hangsUp * 100} %, repeats ${asksAgain * 100} % of refusals; ${workloads.join(', ')}; isolation: ${levels}`;
}

function faultInWords(fault: Fault): string {
  switch (fault.is) {
    case 'crash':
      return `the primary crashes${fault.losesUnflushed ? ' and loses what is not flushed' : ''}, is down for ${fault.downMs} ms and recovers for ${fault.recoveryMs} ms`;
    case 'power off':
      return `the primary loses power for ${fault.downMs} ms, then recovers for ${fault.recoveryMs} ms`;
    case 'restart':
      return `the primary is stopped in order for ${fault.downMs} ms, then recovers for ${fault.recoveryMs} ms`;
    case 'failover':
      return `the primary ${fault.isPowerOff ? 'loses power' : 'crashes'}; the standby takes its place after ${fault.promotedAfterMs} ms`;
    case 'hold':
      return `the network holds back all packets of service ${fault.instance + 1} for ${fault.forMs} ms`;
    case 'swallow':
      return `the network swallows all packets of service ${fault.instance + 1} for ${fault.forMs} ms`;
    case 'reset':
      return `the network resets all connections of service ${fault.instance + 1}`;
    case 'cut':
      return `the network resets ${fault.connections} connections after ${fault.afterBytes} more bytes ${fault.side === 'up' ? 'to' : 'from'} the server`;
    case 'forget':
      return `the network forgets ${fault.connections} connections, and neither end notices`;
    case 'at commit':
      return `from now on, at the next ${fault.count} COMMITs: ${fault.what}`;
    case 'freeze at commit':
      return `from now on, the service of the next ${fault.count} COMMITs with a crash stands still for ${fault.forMs} ms`;
    case 'slow':
      return `the primary is ${fault.factor} times as slow for ${fault.forMs} ms`;
    case 'full':
      return `the primary takes no more connections for ${fault.forMs} ms`;
    case 'freeze':
      return `service ${fault.instance + 1} stands still for ${fault.forMs} ms`;
    case 'kill':
      return `service ${fault.instance + 1} is killed`;
    case 'end backends':
      return `the primary ends ${fault.count} connections`;
    case 'lag':
      return `the standby receives nothing for ${fault.forMs} ms`;
    case 'read-only':
      return `the primary takes no writes for ${fault.forMs} ms`;
    case 'renew':
      return `service ${fault.instance + 1} is ordered to renew its connections`;
  }
}
