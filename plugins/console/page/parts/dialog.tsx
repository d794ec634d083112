import { useEffect, useRef, useState } from 'preact/hooks';
import type { InstanceEntry, OperationOf } from '../../src/model.ts';
import { operate, Refused } from '../ask.ts';

/** An operation that waits for its confirmation. */
export interface Run {
  readonly plugin: string;
  readonly operation: string;
  readonly title: string;
  readonly effect: string;
  readonly named: Readonly<Record<string, string>>;
  /** The arguments that the dialog asks for. */
  readonly ask?: OperationOf['arguments'];
  readonly isDangerous?: boolean;
}

export interface Done {
  readonly instance: string;
  readonly text: string;
  readonly failed: boolean;
}

interface Props {
  readonly run: Run;
  readonly instance: InstanceEntry;
  /** Others of the same service, which may do the same. */
  readonly siblings: readonly InstanceEntry[];
  readonly onClose: (done: readonly Done[]) => void;
}

/** Asks before anything changes. */
export function ConfirmDialog({ run, instance, siblings, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const cancel = useRef<HTMLButtonElement>(null);
  const [given, setGiven] = useState<Readonly<Record<string, string>>>(() => firstChoices(run));
  const [everywhere, setEverywhere] = useState(false);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    dialog.current?.showModal();
    // Where nothing is to be filled in, Enter must not change anything by mistake.
    if (run.ask === undefined || run.ask.length === 0) cancel.current?.focus();
  }, []);
  const named = Object.fromEntries(Object.entries({ ...run.named, ...given }).filter(([, value]) => value !== ''));
  const confirm = async () => {
    setBusy(true);
    const targets = everywhere ? [instance, ...siblings] : [instance];
    onClose(await Promise.all(targets.map(target => runOn(target, run, named))));
  };
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onClose={() => onClose([])}>
      <form
        method="dialog"
        onSubmit={event => {
          event.preventDefault();
          void confirm();
        }}
      >
        <h2 id="dialog-title">{run.title}</h2>
        <p>{run.effect}</p>
        {run.ask?.map(({ name, required, choices }) => (
          <div key={name} class="field">
            <label for={`argument-${name}`}>
              {name}
              {!required && <span class="fine"> may be left empty</span>}
            </label>
            {choices === undefined ? (
              <input
                id={`argument-${name}`}
                name={name}
                required={required}
                autocomplete="off"
                value={given[name] ?? ''}
                onInput={event => setGiven({ ...given, [name]: event.currentTarget.value })}
              />
            ) : (
              <select
                id={`argument-${name}`}
                name={name}
                value={given[name] ?? ''}
                onChange={event => setGiven({ ...given, [name]: event.currentTarget.value })}
              >
                {!required && <option value="">–</option>}
                {choices.map(choice => (
                  <option key={choice}>{choice}</option>
                ))}
              </select>
            )}
          </div>
        ))}
        {siblings.length > 0 && (
          <label class="check">
            <input
              type="checkbox"
              checked={everywhere}
              onChange={event => setEverywhere(event.currentTarget.checked)}
            />
            On all {siblings.length + 1} instances of {instance.service ?? 'this service'}
          </label>
        )}
        <p class="fine">
          The same in a shell: <code>{commandOf(run, named)}</code>
        </p>
        <div class="actions">
          <button type="button" ref={cancel} onClick={() => onClose([])}>
            Cancel
          </button>
          <button type="submit" class={run.isDangerous === true ? 'danger' : 'primary'} disabled={busy}>
            {busy ? 'Runs…' : 'Run'}
          </button>
        </div>
      </form>
    </dialog>
  );
}

function firstChoices({ ask = [] }: Run): Record<string, string> {
  return Object.fromEntries(
    ask.flatMap(({ name, required, choices }) => (required && choices?.[0] !== undefined ? [[name, choices[0]]] : [])),
  );
}

async function runOn(target: InstanceEntry, { plugin, operation }: Run, named: Record<string, string>): Promise<Done> {
  try {
    const { done } = await operate(target.id, { plugin, operation, named });
    return { instance: target.name, text: done, failed: false };
  } catch (error) {
    const text = error instanceof Refused ? [error.message, error.hint].join(' ') : 'The service gave no answer.';
    return { instance: target.name, text, failed: true };
  }
}

function commandOf({ plugin, operation }: Run, { forMs, ...words }: Record<string, string>): string {
  const last = forMs === undefined ? [] : ['--for', forMs];
  return ['keelson do', plugin, operation, ...Object.values(words), ...last].join(' ');
}
