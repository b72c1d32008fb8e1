import fc from 'fast-check';
import { expect, it } from 'vitest';
import { html, jsonOf, scriptOf } from '../../src/report/html.js';

it('no text that is put into a template can open a tag, end an attribute or begin an entity', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const { text: made } = html`<b title="${text}">${text}</b>`;
      const inner = made.slice('<b title="'.length, -'</b>'.length);
      expect(inner.replace('">', '')).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
    }),
  );
});

it('escapes once, however deep a template is in another, and leaves out what is absent', () => {
  const inner = html`<i>${'a & b'}</i>`;
  expect(html`<p>${[inner, undefined, 3]}</p>`.text).toBe('<p><i>a &amp; b</i>3</p>');
});

it('JSON in a script is read again as it was, and nothing in it ends the script', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const { text } = jsonOf({ value, name: '</script><!--' });
      expect(text).not.toContain('<');
      expect((JSON.parse(text) as { value: unknown }).value).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

it('a script that has the end of a script in a text still says the same', () => {
  const { text } = scriptOf('const end = "</script>" + "<!-- ";');
  expect(text).not.toMatch(/<\/script|<!--/i);
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  expect(new Function(`${text} return end;`)()).toBe('</script><!-- ');
});
