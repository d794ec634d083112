import { isKeelsonError } from '@keelson/core';
import type { SessionOptions } from '@keelson/database';
import type { Isolation } from '../postgres/store.ts';
import type { ClientPlan, Workload } from '../scenario/scenario.ts';
import type { Stage } from '../scenario/stage.ts';
import type { Instance } from '../service/instance.ts';
import type { Random } from '../world/random.ts';
import { type Happening, runAs } from '../world/virtual-time.ts';
import type { World } from '../world/world.ts';
import type { Answer, Request } from './request.ts';
import { UnitWork, WorkFailed } from './unit-work.ts';

const readOnlyWorkloads = new Set<Workload>(['read', 'stream']);
const failing = new Set<Workload>(['fail', 'write read-only', 'bulk fails', 'collide', 'swallow', 'end by hand']);

/** Sends requests to instances, waits, hangs up now and then, and asks again what was refused. */
export class Client {
  readonly #stage: Stage;
  readonly #world: World;
  readonly #plan: ClientPlan;
  readonly #random: Random;
  readonly #work: UnitWork;
  readonly requests: Request[] = [];
  #asked = 0;

  constructor(stage: Stage, plan: ClientPlan) {
    this.#stage = stage;
    this.#world = stage.world;
    this.#plan = plan;
    this.#random = stage.world.random.fork(`client ${plan.number}`);
    this.#work = new UnitWork(stage, plan, this.#random);
  }

  async run(untilMs: number): Promise<void> {
    const { thinkMs } = this.#plan;
    for (;;) {
      await this.#world.time.sleep(this.#random.exponential(thinkMs) + 1, 'a client that thinks');
      if (this.#world.now >= untilMs) return;
      const instance = this.#anInstance();
      if (instance === undefined) return;
      const workload = this.#random.pick(this.#plan.workloads as [Workload, ...Workload[]]);
      if (workload === 'burst') {
        await Promise.all(
          Array.from({ length: this.#random.integer(5, this.#plan.burst) }, () => this.#ask(instance, 'insert')),
        );
        await this.#world.time.sleep(2_000, 'a client that thinks');
      } else await this.#ask(instance, workload);
    }
  }

  #anInstance(): Instance | undefined {
    const alive = this.#stage.instances.filter(({ isDead }) => !isDead);
    const [first, ...others] = alive;
    return first === undefined ? undefined : this.#random.pick([first, ...others]);
  }

  async #ask(instance: Instance, workload: Workload): Promise<void> {
    this.#asked += 1;
    const unit = `u${this.#plan.number * 100_000 + this.#asked}`;
    for (let times = 1; times <= 3; times++) {
      const answer = await this.#request(instance, workload, unit);
      if (answer.is !== 'refused' || failing.has(workload) || !this.#random.chance(this.#plan.asksAgain)) return;
      await this.#world.time.sleep(this.#random.exponential(100), 'a client that asks again');
    }
  }

  async #request(instance: Instance, workload: Workload, unit: string): Promise<Answer> {
    const { timeoutMs, hangsUp, isolations } = this.#plan;
    const world = this.#world;
    const isolation = this.#random.pick(isolations as [Isolation | undefined, ...Isolation[]]);
    const lists = appending.has(workload) ? this.#work.someLists() : [];
    const request: Request = {
      unit,
      workload,
      client: this.#plan.number,
      instance: instance.name,
      isolation,
      askedAtMs: world.now,
      deadlineAtMs: world.now + timeoutMs,
      hungUpAtMs: undefined,
      answeredAtMs: undefined,
      answer: undefined,
      runs: 0,
      lists,
      mustFail: failing.has(workload),
      writes: !readOnlyWorkloads.has(workload),
      sends: this.#stage.scenario.listens && sending.has(workload),
    };
    this.requests.push(request);
    world.note(
      `client ${request.client} asks ${instance.name} to ${workload} ${unit}, within ${timeoutMs} ms${isolation === undefined ? '' : `, ${isolation}`}`,
    );
    const controller = new AbortController();
    let hangingUp: Happening | undefined;
    if (this.#random.chance(hangsUp)) {
      const afterMs = this.#random.exponential(timeoutMs / 4);
      hangingUp = world.time.after(
        afterMs,
        'a client that hangs up',
        () => {
          if (request.answer !== undefined) return;
          request.hungUpAtMs = world.now;
          world.note(`client ${request.client} hangs up on ${unit}`);
          controller.abort(new Error('the client has hung up'));
        },
        instance.name,
      );
    }
    const options: SessionOptions = {
      name: 'unit',
      timeoutMs,
      signal: controller.signal,
      ...(isolation !== undefined && { isolation }),
    };
    const answer = await new Promise<Answer>(resolve => {
      // It arrives in the process of the instance, as a request does.
      world.time.after(
        0,
        'a request',
        () => {
          runAs(instance.name, () => this.#work.run(instance, request, options)).then(
            reads => resolve({ is: 'stored', reads }),
            (error: unknown) => resolve({ is: isInDoubt(error) ? 'unknown' : 'refused', error }),
          );
        },
        instance.name,
      );
    });
    request.answer = answer;
    if (hangingUp !== undefined) world.time.cancel(hangingUp);
    request.answeredAtMs = world.now;
    world.reach(`answer: ${answer.is} ${answer.is === 'stored' ? '' : codeOf(answer.error)}`);
    world.note(
      `client ${request.client} is answered ${unit}: ${answer.is === 'stored' ? 'done' : `${answer.is}, ${codeOf(answer.error)}`}`,
    );
    return answer;
  }
}

const sending = new Set<Workload>(['insert', 'orm', 'append', 'by hand', 'savepoint', 'fail']);

const appending = new Set<Workload>(['append', 'rewrite', 'by hand', 'savepoint', 'parts', 'read own write', 'batch']);

function isInDoubt(error: unknown): boolean {
  return isKeelsonError(error, 'DATABASE_AMBIGUOUS_COMMIT');
}

function codeOf(error: unknown): string {
  if (error instanceof WorkFailed) return 'the work failed';
  return isKeelsonError(error) ? error.code : String(error);
}
