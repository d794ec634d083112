import { defineCommand, exitCodes } from '../command.js';
import { askEach, printAnswers } from '../instances/ask-each.js';
import { formatInstance } from '../instances/format-status.js';
import { chosenInstances, instanceOptions } from '../instances/running-instances.js';

export const status = defineCommand({
  description: `Prints the uptime, the readiness with failing checks, and the reports of the plugins, for each instance of this
service. It finds the instances that this user runs on this machine by their configuration file and environment. It calls
only these processes, so it works while the database is down.`,
  options: instanceOptions,
  exitCodes: { 0: 'every instance is ready', 1: 'no instance runs, or one is not ready or does not answer' },
  examples: ['keelson status', 'keelson status --environment production --json'],
  async run({ options, terminal }) {
    const answers = await askEach(await chosenInstances(options, terminal), instance => instance.status());
    printAnswers(answers, options, terminal, answer => terminal.out(formatInstance(answer)));
    const ready = answers.every(
      each => 'answer' in each && each.answer.phase === 'ready' && each.answer.readiness.status !== 'fail',
    );
    return ready ? exitCodes.clean : exitCodes.failed;
  },
});
