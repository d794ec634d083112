import { decoratorsOf, mayDecorate } from './decorations.js';
import type { Plan, PlannedPlugin } from './plan.js';

/** The plan as a Mermaid flowchart: an arrow from each plugin to those it needs and to those it may wrap. */
export function toMermaid(plan: Plan): string {
  const ids = new Map(plan.plugins.map((plugin, index) => [plugin.key, `p${index}`]));
  const lines = ['flowchart BT', ...legend.map(line => `  %% ${line}`)];
  plan.levels.forEach((level, index) => {
    lines.push(`  subgraph level${index}["level ${index + 1}"]`);
    for (const plugin of level) {
      const label = [plugin.key, plugin.use, ...decorationOf(plugin)].join('<br/>');
      lines.push(`    ${ids.get(plugin.key)}["${label}"]${plugin.optional ? ':::optional' : ''}`);
    }
    lines.push('  end');
  });
  for (const [plugin, need, reason] of edges(plan)) {
    const arrow = implicit(reason) ? '-.->' : '-->';
    lines.push(`  ${ids.get(plugin.key)} ${arrow} ${ids.get(need)}`);
  }
  for (const [decorator, decorated] of decorations(plan)) {
    lines.push(`  ${ids.get(decorator)} -. decorates .-> ${ids.get(decorated)}`);
  }
  lines.push('  classDef optional stroke-dasharray: 4 3');
  return lines.join('\n');
}

const legend = [
  'solid line: needs',
  'dotted line: is watched through (logger, telemetry)',
  'dashed line: may decorate',
  'dashed frame: optional',
];
const ofPicture = ['blue: fills a slot', 'yellow: a plugin of the service'];
const legendLine = 14;

const box = { width: 210, height: 52, gapX: 36, gapY: 58, margin: 28 };

/** The same, drawn: the first level at the bottom, needs as lines, dashed where everyone has them. */
export function toSvg(plan: Plan): string {
  const widest = Math.max(1, ...plan.levels.map(level => level.length));
  const width = 2 * box.margin + widest * box.width + (widest - 1) * box.gapX;
  const height = 2 * box.margin + plan.levels.length * (box.height + box.gapY) - box.gapY + 24;
  const words = [...legend, ...ofPicture];
  const whole = height + words.length * legendLine;
  const places = new Map<string, { x: number; y: number }>();
  plan.levels.forEach((level, row) => {
    const rowWidth = level.length * box.width + (level.length - 1) * box.gapX;
    level.forEach((plugin, column) => {
      const x = (width - rowWidth) / 2 + column * (box.width + box.gapX);
      places.set(plugin.key, { x, y: height - box.margin - box.height - row * (box.height + box.gapY) });
    });
  });
  const title = `${plan.service}${plan.environment === undefined ? '' : ` (${plan.environment})`}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${whole}" width="${width}" height="${whole}" font-family="system-ui, sans-serif">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="${box.margin}" y="22" font-size="15" font-weight="600" fill="#1f2933">${escapeXml(title)}</text>`,
    ...edges(plan).map(([plugin, need, reason]) => drawEdge(places.get(plugin.key), places.get(need), reason)),
    ...decorations(plan).map(([decorator, decorated]) =>
      drawDecoration(places.get(decorator), places.get(decorated), `${decorator} decorates ${decorated}`),
    ),
    ...plan.plugins.map(plugin => drawBox(plugin, places.get(plugin.key))),
    ...words.map(
      (line, index) =>
        `<text x="${box.margin}" y="${height + index * legendLine}" font-size="10" fill="#52606d">${escapeXml(line)}</text>`,
    ),
    '</svg>',
  ].join('\n');
}

interface Spot {
  readonly x: number;
  readonly y: number;
}

function drawEdge(from: Spot | undefined, to: Spot | undefined, reason: string): string {
  const style = implicit(reason) ? 'stroke="#cbd2d9" stroke-dasharray="3 4"' : 'stroke="#52606d"';
  return drawLine(from, to, style, reason);
}

function drawDecoration(from: Spot | undefined, to: Spot | undefined, title: string): string {
  return drawLine(from, to, 'stroke="#b7791f" stroke-dasharray="6 3"', title);
}

function drawLine(from: Spot | undefined, to: Spot | undefined, style: string, title: string): string {
  if (from === undefined || to === undefined) return '';
  const [x1, y1] = [from.x + box.width / 2, from.y + box.height];
  const [x2, y2] = [to.x + box.width / 2, to.y];
  const bend = (y2 - y1) / 2;
  return `<path d="M${x1} ${y1} C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}" fill="none" stroke-width="1.4" ${style}><title>${escapeXml(title)}</title></path>`;
}

function drawBox(plugin: PlannedPlugin, spot: Spot | undefined): string {
  if (spot === undefined) return '';
  const center = spot.x + box.width / 2;
  const fill = plugin.manifest.slot === undefined ? '#fff8e6' : '#e6f1fb';
  const dash = plugin.optional ? ' stroke-dasharray="5 4"' : '';
  const lines = [shorten(plugin.use), ...decorationOf(plugin).map(shorten)];
  return [
    `<rect x="${spot.x}" y="${spot.y}" width="${box.width}" height="${box.height}" rx="8" fill="${fill}" stroke="#52606d"${dash}/>`,
    `<text x="${center}" y="${spot.y + (lines.length === 1 ? 22 : 19)}" font-size="14" font-weight="600" text-anchor="middle" fill="#1f2933">${escapeXml(plugin.key)}</text>`,
    ...lines.map(
      (line, index) =>
        `<text x="${center}" y="${spot.y + (lines.length === 1 ? 40 : 34) + 13 * index}" font-size="11" text-anchor="middle" fill="#52606d">${escapeXml(line)}</text>`,
    ),
  ].join('');
}

function edges(plan: Plan): [PlannedPlugin, string, string][] {
  return plan.plugins.flatMap(plugin =>
    [...plugin.needs].map(([need, reason]): [PlannedPlugin, string, string] => [plugin, need, reason]),
  );
}

/** Who may wrap the services of whom: keys. A silent default is no plugin; the label of who wraps it says so. */
function decorations(plan: Plan): [string, string][] {
  return plan.plugins.flatMap(({ key, manifest }) =>
    decoratorsOf(manifest.provides ?? [], plan.plugins)
      .filter(decorator => decorator !== key)
      .map((decorator): [string, string] => [decorator, key]),
  );
}

function decorationOf(plugin: PlannedPlugin): string[] {
  const services = mayDecorate(plugin);
  return services.length === 0 ? [] : [`decorates ${services.join(', ')}`];
}

/** Everyone logs and is traced; these lines would hide the others. */
function implicit(reason: string): boolean {
  return reason.startsWith('is watched');
}

function shorten(text: string): string {
  return text.length > 34 ? `…${text.slice(-33)}` : text;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
