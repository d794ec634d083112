import { formatReload } from '../../life/reload.js';
import { defineCommand, exitCodes } from '../command.js';
import { askEach, printAnswers } from '../instances/ask-each.js';
import { chosenInstances, instanceOptions } from '../instances/running-instances.js';

export const reload = defineCommand({
  description: `The same as SIGHUP, with the answer: values that may change while the service runs are applied, others are named as
needing a restart. A configuration that does not hold changes nothing, and everything wrong with it is printed. Variables are
those of the running process; files are read again. Every instance of this service on this machine reloads, or the one with
--pid.`,
  options: instanceOptions,
  exitCodes: {
    0: 'read again by all',
    1: 'none runs, the configuration does not hold, or a plugin refused a value',
  },
  examples: ['keelson reload', 'keelson reload --environment production --json'],
  async run({ options, terminal }) {
    const answers = await askEach(await chosenInstances(options, terminal), instance => instance.reload());
    printAnswers(answers, options, terminal, (answer, pid) => {
      terminal.out(`pid ${pid}: ${formatReload(answer)}`);
      for (const { path, error } of answer.changes) if (error) terminal.err(`  ${path}: ${error.message}`);
    });
    const sound = answers.every(
      each => 'answer' in each && each.answer.changes.every(({ outcome }) => outcome !== 'failed'),
    );
    return sound ? exitCodes.clean : exitCodes.failed;
  },
});
