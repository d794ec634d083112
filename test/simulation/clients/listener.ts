import type { Instance } from '../service/instance.ts';
import type { World } from '../world/world.ts';

/** Units of some workloads send their number to it. */
export const channel = 'units';

/** An event that a subscription got: the message of a unit, or a gap, before which messages may be missing. */
export type Heard = { readonly atMs: number } & ({ readonly unit: string } | { readonly gap: string });

/** A subscription of an instance that is never closed. */
export class Listener {
  readonly instance: Instance;
  readonly heard: Heard[] = [];
  readonly #world: World;

  constructor(world: World, instance: Instance) {
    this.#world = world;
    this.instance = instance;
  }

  /** To be called in the process of the instance. Resolves when the server has confirmed. */
  async begin(): Promise<void> {
    const { name, database } = this.instance;
    const world = this.#world;
    await database.listen(channel, event => {
      const atMs = world.now;
      if (event.is === 'gap') {
        world.reach(`gap: ${event.reason}`);
        world.note(`${name} gets a gap: ${event.reason}`);
        this.heard.push({ atMs, gap: event.reason });
      } else {
        world.note(`${name} hears of ${event.payload}`);
        this.heard.push({ atMs, unit: event.payload });
      }
    });
  }
}
