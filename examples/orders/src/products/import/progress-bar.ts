export interface Progress {
  /** 0 to 1. */
  readonly share: number;
  readonly done: number;
  readonly elapsedMs: number;
}

const width = 24;

/** `[######------------------]  25 %  250,000 products  51,020/s  15 s left`. */
export function progressBar({ share, done, elapsedMs }: Progress): string {
  const filled = Math.round(width * Math.min(share, 1));
  const percent = String(Math.floor(100 * Math.min(share, 1))).padStart(3);
  const perSecond = elapsedMs > 0 ? Math.round((done / elapsedMs) * 1_000) : 0;
  const left = share > 0 ? ` ${Math.ceil((elapsedMs * (1 - share)) / share / 1_000)} s left` : '';
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}]`;
  return `${bar} ${percent} %  ${format(done)} products  ${format(perSecond)}/s ${left}`.trimEnd();
}

function format(number: number): string {
  return number.toLocaleString('en-US');
}
