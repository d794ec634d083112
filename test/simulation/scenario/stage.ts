import { type Link, Network, type Passage } from '../network/network.ts';
import { joinNetwork } from '../network/simulated-socket.ts';
import { type CommitMoment, History, SimulatedServer } from '../postgres/server.ts';
import { Instance } from '../service/instance.ts';
import { tables } from '../service/model.ts';
import type { Random } from '../world/random.ts';
import type { World } from '../world/world.ts';
import type { Fault, Scenario } from './scenario.ts';

const port = 5432;

type CommitFault = NonNullable<SimulatedServer['onCommit']>;

/** The servers, the network and the instances of a scenario, and what is done to them. */
export class Stage {
  readonly world: World;
  readonly scenario: Scenario;
  readonly network: Network;
  readonly history = new History();
  readonly servers: readonly SimulatedServer[];
  readonly instances: readonly Instance[];
  /** The server that takes writes, or did until it went away. */
  primary: SimulatedServer;
  /** How long each instance has been frozen, and when. */
  readonly frozen: { readonly owner: string; readonly fromMs: number; readonly untilMs: number }[] = [];
  readonly #random: Random;
  readonly #atCommit: Extract<Fault, { is: 'at commit' }>['what'][] = [];
  readonly #freezingMs: number[] = [];
  #isHealed = false;
  /** The service whose connection is reset when its next COMMIT is done. */
  #losesNext: string | undefined;
  /** Ends the failover that is under way. */
  #takeOver: (() => void) | undefined;

  constructor(world: World, scenario: Scenario) {
    this.world = world;
    this.scenario = scenario;
    this.network = new Network(world, { ...scenario.pace });
    joinNetwork(this.network);
    this.#random = world.random.fork('faults');
    this.servers = (scenario.standby === 'none' ? ['a'] : ['a', 'b']).map(
      (name, at) =>
        new SimulatedServer(world, this.history, Object.keys(tables), {
          name: `server ${name}`,
          address: `10.0.0.${at + 1}`,
          ...scenario.server,
        }),
    );
    const [first, second] = this.servers;
    if (first === undefined) throw new Error('there is no server');
    this.primary = first;
    if (second !== undefined) first.replicateTo(second);
    for (const [at, server] of this.servers.entries()) {
      this.network.point(`db${at + 1}`, server);
      server.onCommit = at => this.#commitFault(server, at);
    }
    this.network.point('db', first);
    if (second !== undefined) this.network.point('replica', second);
    const url = scenario.standby === 'two hosts' ? `db1:${port},db2:${port}` : `db:${port}`;
    this.instances = Array.from(
      { length: scenario.instances },
      (_, at) =>
        new Instance(world, `service ${at + 1}`, {
          url: `postgresql://app:secret@${url}/shop`,
          options: {
            ...scenario.service,
            ...(scenario.standby === 'replica' && {
              replicas: { urls: [`postgresql://app:secret@replica:${port}/shop`], checkIntervalMs: 500 },
            }),
          },
          retry: scenario.retry,
          firstRow: scenario.migratesAtMs === undefined ? undefined : at * 1_000 + 1,
        }),
    );
  }

  isFrozen(owner: string): boolean {
    return this.frozen.some(each => each.owner === owner && each.untilMs >= this.world.now);
  }

  get standby(): SimulatedServer | undefined {
    return this.servers.find(server => server !== this.primary);
  }

  plan(): void {
    for (const fault of this.scenario.faults)
      this.world.time.after(
        fault.atMs,
        'a fault',
        () => {
          if (!this.#isHealed) this.#do(fault);
        },
        undefined,
      );
  }

  #do(fault: Fault): void {
    const { world } = this;
    world.reach(`fault: ${fault.is}`);
    const later = (ms: number, work: () => void) => world.time.after(ms, 'the end of a fault', work, undefined);
    switch (fault.is) {
      case 'crash':
      case 'power off':
        this.#crash(this.primary, fault);
        return;
      case 'restart': {
        const server = this.primary;
        server.stop();
        later(fault.downMs + 60, () => server.start(fault.recoveryMs));
        return;
      }
      case 'failover':
        this.#failOver(fault);
        return;
      case 'hold':
        this.#obstruct('held', `service ${fault.instance + 1}`, this.primary, fault.forMs);
        return;
      case 'swallow':
        this.#obstruct('swallowed', `service ${fault.instance + 1}`, this.primary, fault.forMs);
        return;
      case 'reset':
        world.note(`the network resets all connections of service ${fault.instance + 1}`);
        for (const link of this.#links()) if (link.owner === `service ${fault.instance + 1}`) link.reset();
        return;
      case 'cut':
        for (const link of this.#someLinks(fault.connections))
          if (fault.side === 'up') link.cutUpAfter(fault.afterBytes);
          else link.cutDownAfter(fault.afterBytes);
        return;
      case 'forget':
        for (const link of this.#someLinks(fault.connections)) {
          world.note(`the network forgets ${link.name} of ${link.owner}`);
          link.forget();
        }
        return;
      case 'at commit':
        for (let at = 0; at < fault.count; at++) this.#atCommit.push(fault.what);
        return;
      case 'freeze at commit':
        for (let at = 0; at < fault.count; at++) this.#freezingMs.push(fault.forMs);
        return;
      case 'slow': {
        const server = this.primary;
        world.note(`${server.name} is ${fault.factor} times as slow for ${fault.forMs} ms`);
        server.slowness = fault.factor;
        later(fault.forMs, () => {
          server.slowness = 1;
        });
        return;
      }
      case 'full': {
        const server = this.primary;
        world.note(`${server.name} takes no more connections for ${fault.forMs} ms`);
        server.isFull = true;
        later(fault.forMs, () => {
          server.isFull = false;
        });
        return;
      }
      case 'freeze': {
        this.#freeze(`service ${fault.instance + 1}`, fault.forMs);
        return;
      }
      case 'kill': {
        const owner = `service ${fault.instance + 1}`;
        if (this.instances.filter(({ isDead }) => !isDead).length < 2 || world.time.isDead(owner)) return;
        world.note(`${owner} is killed`);
        world.time.kill(owner);
        for (const link of this.#links()) if (link.owner === owner) link.abandon();
        return;
      }
      case 'end backends':
        this.#endBackends(fault.count);
        return;
      case 'lag':
        world.note(`the standby stops receiving for ${fault.forMs} ms`);
        this.standby?.lag(true);
        later(fault.forMs, () => this.standby?.lag(false));
        return;
      case 'read-only': {
        const server = this.primary;
        world.note(`${server.name} takes no writes for ${fault.forMs} ms`);
        server.isReadOnly = true;
        later(fault.forMs, () => {
          server.isReadOnly = server.isStandby;
        });
        return;
      }
      case 'renew': {
        const instance = this.instances[fault.instance];
        if (instance === undefined || instance.isDead) return;
        world.time.after(0, 'an order', () => instance.database.renewConnections(), instance.name);
        return;
      }
    }
  }

  #obstruct(passage: Exclude<Passage, 'free'>, owner: string, server: SimulatedServer, forMs: number): void {
    const { world, network } = this;
    world.note(
      `the network between ${owner} and ${server.name} ${passage === 'held' ? 'holds everything back' : 'swallows everything'} for ${forMs} ms`,
    );
    network.setPassage(owner, server, passage);
    world.time.after(forMs, 'the end of a fault', () => network.setPassage(owner, server, 'free'), undefined);
  }

  #freeze(owner: string, forMs: number): void {
    const { world } = this;
    world.note(`${owner} stands still for ${forMs} ms`);
    this.frozen.push({ owner, fromMs: world.now, untilMs: world.now + forMs });
    world.time.freeze(owner, forMs);
  }

  #crash(
    server: SimulatedServer,
    fault: {
      readonly downMs: number;
      readonly recoveryMs: number;
      readonly is: string;
      readonly losesUnflushed?: boolean;
    },
  ): void {
    const isPowerOff = fault.is === 'power off';
    server.crash({ losesUnflushed: fault.losesUnflushed === true || isPowerOff, isPowerOff });
    this.world.time.after(fault.downMs, 'the end of a fault', () => server.start(fault.recoveryMs), undefined);
  }

  /** The primary goes away, the standby takes its place, and the old one comes back as its standby. */
  #failOver({ promotedAfterMs, isPowerOff }: Omit<Extract<Fault, { is: 'failover' }>, 'is' | 'atMs'>): void {
    const { standby, primary: old, world } = this;
    if (standby === undefined || standby.state !== 'running' || old.state !== 'running' || standby.isFenced) return;
    old.crash({ losesUnflushed: true, isPowerOff });
    old.isFenced = true;
    this.#takeOver = () => {
      this.#takeOver = undefined;
      standby.promote();
      this.primary = standby;
      this.network.point('db', standby);
      this.network.point('replica', old);
      const comeBack = () => {
        old.isFenced = false;
        old.start(50);
        old.follow(standby);
      };
      world.time.after(this.#random.integer(100, 3_000), 'a failover', comeBack, undefined);
    };
    world.time.after(promotedAfterMs, 'a failover', () => this.#takeOver?.(), undefined);
  }

  #links(): readonly Link[] {
    return [...this.network.links].filter(({ isOpen }) => isOpen);
  }

  #someLinks(count: number): readonly Link[] {
    const links = [...this.#links()];
    const chosen: Link[] = [];
    while (chosen.length < count && links.length > 0)
      chosen.push(...links.splice(this.#random.integer(0, links.length - 1), 1));
    return chosen;
  }

  #endBackends(count: number): void {
    const all = [...this.primary.backends.values()];
    for (let at = 0; at < count && all.length > 0; at++) {
      const [backend] = all.splice(this.#random.integer(0, all.length - 1), 1);
      if (backend === undefined) continue;
      this.world.note(`${this.primary.name} ends backend ${backend.pid}`);
      backend.terminate();
    }
  }

  /** The next COMMIT of the service is done, and its answer is lost. */
  loseNextAnswer(owner: string): void {
    this.#losesNext = owner;
  }

  /** Whether the answer to a COMMIT is to be lost, or the COMMIT itself. */
  #commitFault(server: SimulatedServer, { link, when, units }: CommitMoment): ReturnType<CommitFault> {
    if (when === 'after' && link.owner === this.#losesNext) {
      this.#losesNext = undefined;
      this.world.note(`the answer to the COMMIT of ${link.owner} is lost`);
      link.reset();
    }
    const [next] = this.#atCommit;
    if (next === undefined || this.#isHealed) return 'go on';
    const isBefore = next.endsWith('before') || next.endsWith('later');
    if (isBefore !== (when === 'before')) return 'go on';
    this.#atCommit.shift();
    const frozenMs = next.startsWith('crash') || next.startsWith('fail over') ? this.#freezingMs.shift() : undefined;
    if (frozenMs !== undefined) this.#freeze(link.owner, frozenMs);
    this.world.reach(`fault at commit: ${next}`);
    this.world.note(`${next}: at the COMMIT of ${[...units].join(' and ')} on ${link.name} of ${link.owner}`);
    if (next.startsWith('reset')) link.reset();
    if (next === 'reset and silence') this.#obstruct('swallowed', link.owner, server, this.#random.integer(100, 5_000));
    if (next.startsWith('forget')) link.forget();
    else if (next === 'fail over after')
      this.#failOver({ promotedAfterMs: this.#random.integer(50, 1_500), isPowerOff: this.#random.chance(0.5) });
    else if (next.startsWith('crash'))
      this.#crash(server, {
        is: 'crash',
        losesUnflushed: next === 'crash and lose',
        downMs: this.#random.integer(1, 2_000),
        recoveryMs: this.#random.integer(5, 500),
      });
    if (next.endsWith('later')) return { laterMs: this.#random.integer(20, 4_000) };
    return isBefore ? 'stop' : 'go on';
  }

  /** Nothing goes wrong from now on, and what is broken is mended. */
  heal(): void {
    this.#isHealed = true;
    const { world, network } = this;
    world.note('from here on nothing goes wrong any more');
    this.#takeOver?.();
    for (const server of this.servers) {
      server.maxConnections = 1_000;
      server.slowness = 1;
      server.isFull = false;
      if (!server.isStandby) server.isReadOnly = false;
      server.start(20);
      server.lag(false);
      for (const { name } of this.instances) network.setPassage(name, server, 'free');
    }
  }
}
