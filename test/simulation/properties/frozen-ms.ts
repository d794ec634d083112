import type { Stage } from '../scenario/stage.ts';

/** How long the process of an instance stood still while it worked on something, in ms. */
export function frozenMs(
  stage: Stage,
  { instance, askedAtMs }: { readonly instance: string; readonly askedAtMs: number },
  answeredAtMs: number,
): number {
  return stage.frozen
    .filter(({ owner, fromMs, untilMs }) => owner === instance && untilMs >= askedAtMs && fromMs <= answeredAtMs)
    .reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0);
}
