import type { Listener } from '../clients/listener.ts';
import type { Request } from '../clients/request.ts';
import type { Stored } from '../postgres/server.ts';
import type { Stage } from '../scenario/stage.ts';
import type { World } from '../world/world.ts';

/** Longest time until a message is there, or the gap that stands for it, in ms: a dead connection has to be noticed first. */
const deliveryMs = 15_000;

/** Once nothing goes wrong any more: each unit that was stored is heard of everywhere, or a gap is reported after it. */
export async function checkMessages(
  world: World,
  stage: Stage,
  listeners: readonly Listener[],
  requests: readonly Request[],
): Promise<void> {
  const sending = new Set(requests.filter(({ sends }) => sends).map(({ unit }) => unit));
  // A COMMIT that the network held back may be done meanwhile.
  const sent = () => stage.history.stored.filter(({ unit }) => sending.has(unit));
  const alive = listeners.filter(({ instance }) => !instance.isDead);
  const endMs = world.now + deliveryMs;
  while (world.now < endMs && alive.some(listener => missingOf(listener, sent()).length > 0))
    await world.time.sleep(50, 'a look at an instance');
  for (const listener of alive) {
    const [missing, ...more] = missingOf(listener, sent());
    if (missing !== undefined)
      world.violate(
        'a message is delivered, or a gap is reported',
        `${listener.instance.name} has not heard of ${missing.unit}, stored at ${missing.atMs}, and of ${more.length} more`,
      );
  }
  for (const listener of listeners) {
    checkHeard(world, listener, sent());
    checkGaps(world, stage, listener);
  }
}

/** A gap that comes after a unit was stored stands for its message, too. */
function missingOf({ heard }: Listener, sent: readonly Stored[]): readonly Stored[] {
  const lastGapMs = Math.max(0, ...heard.flatMap(each => ('gap' in each ? [each.atMs] : [])));
  const units = new Set(heard.flatMap(each => ('unit' in each ? [each.unit] : [])));
  return sent.filter(({ unit, atMs }) => atMs > lastGapMs && !units.has(unit));
}

/** Only of units that were stored, each time once, and in the order in which they were stored. */
function checkHeard(world: World, { instance, heard }: Listener, sent: readonly Stored[]): void {
  let at = -1;
  for (const each of heard) {
    if ('gap' in each) continue;
    const next = sent.findIndex(({ unit }, place) => place > at && unit === each.unit);
    if (next !== -1) at = next;
    else if (sent.some(({ unit }) => unit === each.unit))
      world.violate(
        'messages come once, in the order of the commits',
        `${instance.name} hears of ${each.unit} again, or too late`,
      );
    else
      world.violate('no message of a unit that is not stored is delivered', `${instance.name} hears of ${each.unit}`);
  }
}

function checkGaps(world: World, { scenario }: Stage, { instance, heard }: Listener): void {
  const gaps = heard.flatMap(each => ('gap' in each ? [each.gap] : []));
  if (gaps[0] !== 'started')
    world.violate('a subscription begins with a gap', `${instance.name}: ${gaps.join(', ') || 'none'}`);
  if (scenario.theme === 'no faults' && gaps.length > 1)
    world.violate('without a fault no message is missed', `${instance.name}: ${gaps.join(', ')}`);
}
