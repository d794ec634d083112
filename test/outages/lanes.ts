import { deadlineOf, type Measure, type Outage } from './outage.js';
import { Stage } from './stage.js';

/** How many stages take turns where more outages than this want the same. */
const turns = 2;

/**
 * The stages of a long run, each with servers and a service of its own. One outage happens at a time. Meanwhile the
 * other stages rest, which takes as long as the window of the budget for retries.
 */
export class Lanes implements AsyncDisposable {
  readonly #measure: Measure;
  /** By what their outages have in common. */
  readonly #outages: ReadonlyMap<string, readonly Outage[]>;
  /** As above; who has rested longest comes first. */
  readonly #stages = new Map<string, Stage[]>();

  constructor(outages: readonly Outage[], measure: Measure) {
    this.#measure = measure;
    this.#outages = Map.groupBy(outages, outage => this.#keyOf(outage));
  }

  /** All outages, in an order in which those that want the same stage are far apart. */
  inTurn(): Outage[] {
    const placed = [...this.#outages.values()].flatMap(alike =>
      alike.map((outage, index) => ({ outage, place: (index + 0.5) / alike.length })),
    );
    return placed.toSorted((one, other) => one.place - other.place).map(({ outage }) => outage);
  }

  async stageFor(outage: Outage): Promise<Stage> {
    const key = this.#keyOf(outage);
    const stages = this.#stages.get(key) ?? [];
    this.#stages.set(key, stages);
    const most = (this.#outages.get(key)?.length ?? 0) > turns ? turns : 1;
    const stage = (stages.length < most ? undefined : stages.shift()) ?? (await Stage.open(outage.stage));
    stages.push(stage);
    return stage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stage of [...this.#stages.values()].flat()) await stage[Symbol.asyncDispose]();
  }

  #keyOf(outage: Outage): string {
    return JSON.stringify([deadlineOf(outage, this.#measure), outage.stage ?? {}]);
  }
}
