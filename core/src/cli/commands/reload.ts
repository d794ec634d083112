import { formatReload } from '../../life/reload.js';
import { defineCommand, exitCodes } from '../command.js';
import { askEach, printAnswers } from '../instances/ask-each.js';
import { chosenInstances, instanceOptions } from '../instances/running-instances.js';

export const reload = defineCommand({
  description: `Reads the configuration files again, as SIGHUP does, and prints the result: applies reloadable values, and lists
the values that need a restart. An invalid configuration changes nothing, and all its problems are printed. Variables stay those
of the running process. Every instance of this service on this machine reloads, or the instance with --pid.`,
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
