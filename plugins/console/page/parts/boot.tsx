import type { PlanAnswer, StartAnswer } from '../../src/model.ts';
import { lasting } from '../words.ts';
import { Empty, Section } from './basics.tsx';

const steps = [
  ['import', 'importMs'],
  ['register', 'registerMs'],
  ['start', 'startMs'],
  ['ready', 'readyMs'],
] as const;

type StartedPlugin = StartAnswer['plugins'][number];

export function Boot({ plan }: { plan: PlanAnswer | undefined }) {
  const start = plan?.start;
  return (
    <Section
      id="boot"
      title="Start"
      note={start === undefined ? undefined : `${start.outcome} after ${lasting(start.durationMs)}`}
    >
      {start === undefined ? <Empty>The service is still starting.</Empty> : <Timeline start={start} />}
    </Section>
  );
}

/**
 * The start report as a picture: plugins are imported side by side, register one after the other, and start level by level,
 * each level after the one before.
 */
function Timeline({ start }: { start: StartAnswer }) {
  const { plugins, planMs } = start;
  const levels = [...new Set(plugins.map(({ level }) => level))].sort((a, b) => a - b);
  const longestOf = (key: (typeof steps)[number][1], level?: number) =>
    Math.max(0, ...plugins.filter(each => level === undefined || each.level === level).map(each => each[key]));
  const imported = planMs + longestOf('importMs');
  const registered = imported + plugins.reduce((sum, { registerMs }) => sum + registerMs, 0);
  const startOf = offsets(levels, level => longestOf('startMs', level), registered);
  const allStarted = registered + levels.reduce((sum, level) => sum + longestOf('startMs', level), 0);
  const readyOf = offsets(levels, level => longestOf('readyMs', level), allStarted);
  const whole = Math.max(
    start.durationMs,
    allStarted + levels.reduce((sum, level) => sum + longestOf('readyMs', level), 0),
  );
  let registers = imported;
  return (
    <>
      <ul class="legend">
        {steps.map(([name]) => (
          <li key={name}>
            <span class={`swatch step-${name}`} aria-hidden="true" />
            {name}
          </li>
        ))}
      </ul>
      <ol class="boot">
        <li>
          <span class="boot-name">
            plan <span class="fine">configuration and manifests</span>
          </span>
          <span class="boot-track" aria-hidden="true">
            <span class="step-plan" style={place(0, planMs, whole)} />
          </span>
          <span class="duration">{lasting(planMs)}</span>
        </li>
        {plugins.map(plugin => {
          const at = {
            import: planMs,
            register: registers,
            start: startOf(plugin.level),
            ready: readyOf(plugin.level),
          };
          registers += plugin.registerMs;
          return (
            <li key={plugin.key}>
              <span class="boot-name">
                {plugin.key} <span class="fine">{plugin.use}</span>
                {plugin.outcome !== 'started' && <span class="tag bad">{plugin.outcome}</span>}
              </span>
              <span class="boot-track" aria-hidden="true">
                {steps.map(([name, key]) => (
                  <span key={name} class={`step-${name}`} style={place(at[name], plugin[key], whole)} />
                ))}
              </span>
              <span class="duration">
                {lasting(totalOf(plugin))}
                <span class="hidden">: {steps.map(([name, key]) => `${name} ${lasting(plugin[key])}`).join(', ')}</span>
              </span>
            </li>
          );
        })}
      </ol>
    </>
  );
}

function totalOf(plugin: StartedPlugin): number {
  return steps.reduce((sum, [, key]) => sum + plugin[key], 0);
}

/** Where each level begins, when each takes as long as its slowest plugin. */
function offsets(levels: readonly number[], longest: (level: number) => number, from: number) {
  return (level: number) => levels.filter(other => other < level).reduce((sum, other) => sum + longest(other), from);
}

function place(from: number, ms: number, whole: number) {
  return { left: `${(from / whole) * 100}%`, width: `${Math.max(ms > 0 ? 0.3 : 0, (ms / whole) * 100)}%` };
}
