/** HTML that can't be broken by what is put into it: text is escaped, and only what is `Html` already is not. */

/** Markup that is safe as it is. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: nothing for what is absent. */
export type Content = Html | string | number | readonly Content[] | undefined;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escapeText = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

function textOf(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'object') return content.map(textOf).join('');
  return escapeText(String(content));
}

/** `html`<b>${text}</b>``; attributes have to be quoted. */
export const html = (strings: TemplateStringsArray, ...contents: readonly Content[]): Html =>
  new Html(strings.map((string, index) => (index === 0 ? '' : textOf(contents[index - 1])) + string).join(''));

/** JSON inside of `<script type="application/json">`, which nothing in it can end. */
export const jsonOf = (value: unknown): Html => new Html(JSON.stringify(value).replaceAll('<', '\\u003c'));

/** A script of ours, or of a library, inside of `<script>`. */
export const scriptOf = (source: string): Html =>
  new Html(source.replaceAll(/<\/(script)/gi, '<\\/$1').replaceAll('<!--', '<\\!--'));
