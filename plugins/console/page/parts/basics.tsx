import { type ComponentChildren, Fragment } from 'preact';
import type { Tone } from '../words.ts';

/** A part of the page with a heading that the navigation leads to. */
export function Section(props: { id: string; title: string; note?: ComponentChildren; children: ComponentChildren }) {
  const { id, title, note, children } = props;
  return (
    <section id={id} aria-labelledby={`${id}-title`}>
      <header class="section-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {note !== undefined && <p class="note">{note}</p>}
      </header>
      {children}
    </section>
  );
}

/** A state: a mark in its colour, and its word. */
export function Mark({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`mark ${tone}`}>
      <span class="dot" aria-hidden="true" />
      {children}
    </span>
  );
}

/** A code of an error, which may be broken at its underscores. */
export function Code({ children }: { children: string }) {
  return (
    <code>
      {children.split('_').map((part, index) => (
        <Fragment key={`${index} ${part}`}>
          {index > 0 && (
            <>
              _<wbr />
            </>
          )}
          {part}
        </Fragment>
      ))}
    </code>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
