import type { InstanceStatus } from '../../control/protocol.js';
import { defineCommand, exitCodes } from '../command.js';
import { askEach, printAnswers } from '../instances/ask-each.js';
import { formatInstance } from '../instances/format-status.js';
import { chosenInstances, instanceOptions } from '../instances/running-instances.js';

export const status = defineCommand({
  description: `Asks each instance of this service that this user runs on this machine: since when it runs, its readiness with
what does not pass, and what its plugins report of themselves. Nothing outside of the processes is asked, so that it answers while
the database does not. Instances are found by their configuration file and environment.`,
  options: instanceOptions,
  exitCodes: { 0: 'every instance is ready', 1: 'none runs, one does not answer, or one is not ready' },
  examples: ['keelson status', 'keelson status --environment production --json'],
  async run({ options, terminal }) {
    const answers = await askEach(await chosenInstances(options, terminal), instance => instance.status());
    printAnswers(answers, options, terminal, answer => terminal.out(formatInstance(answer)));
    return answers.every(each => 'answer' in each && isReady(each.answer)) ? exitCodes.clean : exitCodes.failed;
  },
});

function isReady({ phase, readiness }: InstanceStatus): boolean {
  return phase === 'ready' && readiness.status !== 'fail';
}
