import type { GiveBack, RunContext } from '../contract/plugin-context.js';

/** What one start has taken. It is given back once, the last first. */
export class Taken {
  readonly #kept: GiveBack<unknown>[] = [];
  #givenBack: RunContext<unknown> | undefined;

  /** What comes after the rest was given back is given back at once: a start that was given up may still go on. */
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
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} things could not be given back.`);
  }
}

async function giveBackLate(giveBack: GiveBack<unknown>, context: RunContext<unknown>): Promise<void> {
  try {
    await giveBack(context);
  } catch (error) {
    context.logger.error('what a start took after it was given up could not be given back', { error });
  }
}
