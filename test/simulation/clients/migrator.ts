import { isKeelsonError } from '@keelson/core';
import type { Instance, ShelfRow } from '../service/instance.ts';
import type { Random } from '../world/random.ts';
import type { World } from '../world/world.ts';

/** One call of `migrate()`. */
export interface MigrationCall {
  readonly startedAtMs: number;
  endedAtMs: number | undefined;
  /** Those that it was to store. */
  rows: readonly ShelfRow[];
  result:
    | { readonly is: 'done'; readonly names: readonly string[] }
    | { readonly is: 'failed'; readonly error: unknown }
    | undefined;
}

/** Starts the migrations of an instance, and again when they have failed, as one who deploys it. */
export class Migrator {
  readonly instance: Instance;
  readonly calls: MigrationCall[] = [];
  readonly #world: World;
  readonly #random: Random;

  constructor(world: World, instance: Instance) {
    this.#world = world;
    this.instance = instance;
    this.#random = world.random.fork(`migrations of ${instance.name}`);
  }

  async run(fromMs: number, untilMs: number): Promise<void> {
    const delayMs = fromMs - this.#world.now + this.#random.exponential(500);
    await this.#world.time.sleep(delayMs, 'a deployment');
    while (this.#world.now < untilMs && !this.instance.isDead) {
      if (await this.migrate()) return;
      await this.#world.time.sleep(this.#random.exponential(500), 'a deployment');
    }
  }

  /** True when it has succeeded. */
  async migrate(): Promise<boolean> {
    const { name, database, shelfRows } = this.instance;
    const world = this.#world;
    const before = shelfRows.length;
    const call: MigrationCall = { startedAtMs: world.now, endedAtMs: undefined, rows: [], result: undefined };
    this.calls.push(call);
    world.note(`${name} migrates`);
    const result = await new Promise<NonNullable<MigrationCall['result']>>(resolve => {
      const migrate = () =>
        this.instance
          .run(() => database.migrate())
          .then(
            names => resolve({ is: 'done', names }),
            (error: unknown) => resolve({ is: 'failed', error }),
          );
      world.time.after(0, 'a deployment', migrate, name);
    });
    call.endedAtMs = world.now;
    call.rows = shelfRows.slice(before);
    call.result = result;
    const said = result.is === 'done' ? `done: ${result.names.join(', ') || 'none was left'}` : messageOf(result.error);
    world.note(`${name} has migrated: ${said}`);
    world.reach(`migrations: ${result.is === 'done' ? 'done' : codeOf(result.error)}`);
    return result.is === 'done';
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string {
  return isKeelsonError(error) ? error.code : 'an error without a code';
}
