import { type Command, commonOptions, defineCommand, exitCodes, type OptionDeclaration } from '../command.js';

/** All commands: their summaries by name, and how one is loaded. */
export interface CommandTable {
  readonly summaries: Readonly<Record<string, string>>;
  load(name: string): Promise<Command> | undefined;
}

export const completionOf = ({ summaries, load }: CommandTable) =>
  defineCommand({
    description: `Prints a script that completes the commands of keelson and their options. The command keelson has to be on the PATH of the
shell: install @keelson/core globally, or add node_modules/.bin.`,
    words: { shell: { choices: ['bash', 'zsh', 'fish'], description: 'bash, zsh or fish' } },
    options: {},
    printsData: true,
    exitCodes: { 0: 'printed', 1: 'not printed' },
    examples: [
      'source <(keelson completion bash)                          in ~/.bashrc',
      'source <(keelson completion zsh)                           in ~/.zshrc',
      'keelson completion fish > ~/.config/fish/completions/keelson.fish',
    ],
    async run({ words: { shell }, terminal }) {
      const described = Object.entries(summaries).map(async ([name, summary]) => {
        const { options, words = {} } = (await load(name)) ?? { options: {} };
        const choices = Object.values(words).flatMap(word => word.choices ?? []);
        return { name, summary, options: Object.entries({ ...options, ...commonOptions }), choices };
      });
      terminal.out(scripts[shell === 'zsh' || shell === 'fish' ? shell : 'bash'](await Promise.all(described)));
      return exitCodes.clean;
    },
  } satisfies Command);

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly (readonly [string, OptionDeclaration])[];
  /** What its words may be. */
  readonly choices: readonly string[];
}

const scripts = { bash, zsh, fish };

function flagsOf({ options, choices }: Described): string {
  return [...choices, ...options.map(([flag]) => `--${flag}`)].join(' ');
}

function bash(commands: readonly Described[]): string {
  const cases = commands.map(command => `    ${command.name}) words='${flagsOf(command)}' ;;`);
  return `_keelson() {
  local words='${commands.map(({ name }) => name).join(' ')} help'
  if [ "$COMP_CWORD" -gt 1 ]; then
    case "\${COMP_WORDS[1]}" in
${cases.map(line => `  ${line}`).join('\n')}
      *) words='' ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _keelson keelson`;
}

function zsh(commands: readonly Described[]): string {
  const summaries = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = commands.map(command => `    ${command.name}) compadd -- ${flagsOf(command)} ;;`);
  return `#compdef keelson
_keelson() {
  local -a commands=(
${summaries.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
  _files
}
compdef _keelson keelson`;
}

function fish(commands: readonly Described[]): string {
  return commands
    .flatMap(({ name, summary, options, choices }) => {
      const inside = `complete -c keelson -n '__fish_seen_subcommand_from ${name}'`;
      return [
        `complete -c keelson -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
        ...(choices.length === 0 ? [] : [`${inside} -f -a '${choices.join(' ')}'`]),
        ...options.map(([flag, { value, short, description }]) => {
          const parts = [`-l ${flag}`, ...(short === undefined ? [] : [`-s ${short}`]), ...(value ? ['-r'] : [])];
          return `${inside} ${parts.join(' ')} -d ${quoted(description)}`;
        }),
      ];
    })
    .join('\n');
}

/** In single quotes, for each of the three shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’').replaceAll('\n', ' ')}'`;
}
