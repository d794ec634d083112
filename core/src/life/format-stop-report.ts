import { codeAndLine, type StopReport } from './report.js';

/** One line when all went well; otherwise one more for each plugin that did not stop as it should. */
export function formatStopReport({ service, reason, outcome, durationMs, plugins }: StopReport): string {
  const how = { clean: 'stopped', failed: 'stopped with errors', 'budget-exceeded': 'stopped, giving up on some' }[
    outcome
  ];
  const lines = [`${service} ${how} in ${Math.round(durationMs)} ms (${reason})`];
  for (const plugin of plugins) {
    for (const error of plugin.errors) lines.push(`  ${plugin.key}  ${plugin.outcome}  ${codeAndLine(error)}`);
  }
  return lines.join('\n');
}
