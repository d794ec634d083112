import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { MarkdownEnv, MarkdownOptions } from 'vitepress';
import { fileOfLink, pageOf } from './links.ts';
import { root } from './packages.ts';

type Markdown = Parameters<NonNullable<MarkdownOptions['config']>>[0];
type Token = ReturnType<Markdown['parse']>[number];

/**
 * A link between files of the repository becomes one between pages. One to a file that is no page, such as a source
 * file, becomes plain text. One to a file that does not exist stays, so that the build reports it.
 */
export function leadToPages(markdown: Markdown): void {
  markdown.core.ruler.push('pages', ({ tokens, env }) => {
    const from = relative(root, env.realPath ?? env.path ?? root);
    for (const { children } of tokens) {
      const links = children?.filter(({ type }) => type === 'link_open' || type === 'link_close') ?? [];
      for (const [index, link] of links.entries()) {
        const target = link.nesting === 1 ? fileOfLink(link.attrGet('href') ?? '', from) : undefined;
        if (target === undefined || !existsSync(join(root, target.file))) continue;
        const page = pageOf(target.file);
        if (page !== undefined) link.attrSet('href', `/${page}${target.fragment}`);
        else for (const tag of [link, links[index + 1]]) if (tag !== undefined) becomeText(tag, target.file);
      }
    }
  });
}

/** Comments mark the tables that programs write. All other text between angle brackets is text. */
export function dropComments(markdown: Markdown): void {
  markdown.core.ruler.before('normalize', 'comments', state => {
    state.src = state.src.replaceAll(/^<!--.*-->$/gm, '');
  });
}

/** The reference has anchors in its tables, in HTML. They are the only HTML that is not shown as text. */
export function keepAnchors(markdown: Markdown): void {
  markdown.inline.ruler.before('text', 'anchor', (state, silent) => {
    const [anchor] = /^<a id="[\w-]+"><\/a>/.exec(state.src.slice(state.pos, state.pos + 200)) ?? [];
    if (anchor === undefined) return false;
    if (!silent) state.push('html_inline', '', 0).content = anchor;
    state.pos += anchor.length;
    return true;
  });
}

/** Makes the anchor of a heading as GitHub does, so that links to a part of a page work in both places. */
export function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

function becomeText(tag: Token, file: string): void {
  tag.type = tag.nesting === 1 ? 'span_open' : 'span_close';
  tag.tag = 'span';
  tag.attrs = tag.nesting === 1 ? [['title', file]] : null;
}

/** In the reference, one entry of the search for each function or type: not one for each "Parameters". */
export function renderForSearch(source: string, env: MarkdownEnv, markdown: Markdown): string {
  const html = markdown.render(source, env);
  return /^(docs\/)?api\//.test(env.relativePath) ? html.replaceAll(/<h([4-6])[^>]*>.*?<\/h\1>/gs, '') : html;
}
