import type { GiveBack, RunContext } from '../contract/plugin-context.js';

/** The resources of one start. They are released once, the last first. */
export class TakenResources {
  readonly #kept: GiveBack<unknown>[] = [];
  #givenBack: RunContext<unknown> | undefined;

  /** Releases at once what is deferred after the release: a start that was given up may still go on. */
  defer(giveBack: GiveBack<unknown>): void {
    if (this.#givenBack === undefined) this.#kept.push(giveBack);
    else void giveBackLate(giveBack, this.#givenBack);
  }

  /** @throws what one of them threw, or an AggregateError; each is called whatever the others throw. */
  async giveBack(context: RunContext<unknown>): Promise<void> {
    this.#givenBack = context;
    const errors: unknown[] = [];
    for (const giveBack of this.#kept.splice(0).reverse()) {
      try {
        await giveBack(context);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} resources could not be released.`);
  }
}

async function giveBackLate(giveBack: GiveBack<unknown>, context: RunContext<unknown>): Promise<void> {
  try {
    await giveBack(context);
  } catch (error) {
    context.logger.error('late resource release failed', { error });
  }
}
