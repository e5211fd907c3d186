/** The three spellings of a recipe: its own language, YAML and JSON. The last two follow grammar/recipe.schema.json. */
import { isMap, LineCounter, parseDocument, stringify, type Document } from 'yaml';
import { type Diagnostic, type Span } from '../diagnostic.ts';
import { locate } from '../ir/recipe/json-places.ts';
import { type Recipe } from '../ir/recipe/recipe.ts';
import { readRecipeValue } from '../ir/recipe/schema.ts';
import { unparse, type Written } from '../ir/recipe/unparse.ts';
import { notJson } from '../messages/declarations.ts';
import { formatRecipe } from '../parser/print.ts';

export type Spelling = 'prune' | 'yaml' | 'json';

/** A recipe from YAML or JSON: its text in the language, and where each statement of that text stands in the original. */
export type Respelt = {
	readonly text?: string;
	readonly diagnostics: readonly Diagnostic[];
	/** The place in the original of a span of `text`. */
	readonly placeOf: (span: Span) => Span;
};

/** Reads YAML or JSON into text of the language; every mistake is placed in the original. */
export function respell(original: string, spelling: 'yaml' | 'json'): Respelt {
	const parsed = spelling === 'json' ? parseJson(original) : parseYaml(original);
	const stay = (span: Span): Span => span;
	if ('problem' in parsed) return { diagnostics: [parsed.problem], placeOf: stay };
	const { recipe, diagnostics } = readRecipeValue(parsed.value, parsed.locate);
	if (recipe === undefined) return { diagnostics, placeOf: stay };
	const statements = unparse(recipe);
	const places = placesOf(statements);
	const placeOf = ({ start }: Span): Span =>
		parsed.locate(places.findLast((one) => one.start <= start)?.pointer ?? '');
	return { text: statements.map(({ text }) => text).join('\n'), diagnostics, placeOf };
}

/** Where each statement and each of its fields begins in the text of all. */
function placesOf(statements: readonly Written[]): { readonly start: number; readonly pointer: string }[] {
	let begin = 0;
	return statements.flatMap(({ text, pointer, fields = [] }) => {
		const own = [{ start: begin, pointer }, ...fields.map((one) => ({ ...one, start: begin + one.start }))];
		begin += text.length + 1;
		return own;
	});
}

type Parsed =
	{ readonly value: unknown; readonly locate: (pointer: string) => Span } | { readonly problem: Diagnostic };

function parseJson(text: string): Parsed {
	try {
		return { value: JSON.parse(text) as unknown, locate: (pointer) => locate(text, pointer) };
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		return { problem: notJson({ reason, spelling: 'JSON' }, { span: { start: 0, end: 0 } }) };
	}
}

/** Aliases are limited, so that a small text cannot unfold into a large one. */
function parseYaml(text: string): Parsed {
	const document = parseDocument(text, { lineCounter: new LineCounter(), uniqueKeys: true });
	const [error] = document.errors;
	if (error !== undefined) {
		const [start, end] = error.pos;
		const [reason = ''] = error.message.split('\n');
		return { problem: notJson({ reason, spelling: 'YAML' }, { span: { start, end } }) };
	}
	try {
		return {
			value: document.toJS({ maxAliasCount: 100 }) as unknown,
			locate: (pointer) => placeIn(document, pointer),
		};
	} catch (failure) {
		const reason = failure instanceof Error ? failure.message : String(failure);
		return { problem: notJson({ reason, spelling: 'YAML' }, { span: { start: 0, end: 0 } }) };
	}
}

/** The span of the value at a JSON pointer, its key included; of the innermost value there is when it leads further. */
function placeIn(document: Document, pointer: string): Span {
	const path = pointer
		.split('/')
		.slice(1)
		.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
	for (let depth = path.length; depth >= 0; depth--) {
		const keys = path.slice(0, depth).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
		const value = depth === 0 ? document.contents : document.getIn(keys, true);
		const range = rangeOf(value);
		if (range === undefined) continue;
		const parent = depth < 2 ? document.contents : document.getIn(keys.slice(0, -1), true);
		const pair = isMap(parent)
			? parent.items.find((item) => String(item.key) === String(keys.at(-1)))
			: undefined;
		return { start: rangeOf(pair?.key)?.start ?? range.start, end: range.end };
	}
	return { start: 0, end: 0 };
}

function rangeOf(value: unknown): Span | undefined {
	if (typeof value !== 'object' || value === null || !('range' in value) || !Array.isArray(value.range))
		return undefined;
	const [start, end] = value.range as number[];
	return start === undefined || end === undefined ? undefined : { start, end };
}

/** A checked recipe in another spelling; in YAML and JSON without places and defaults. */
export function spell(recipe: Recipe, spelling: Spelling): string {
	if (spelling === 'prune')
		return formatRecipe(
			unparse(recipe)
				.map(({ text }) => text)
				.join('\n'),
		).text;
	const plain = JSON.parse(JSON.stringify(recipe, withoutPlaces)) as object;
	return spelling === 'json' ? `${JSON.stringify(plain, undefined, '\t')}\n` : stringify(plain);
}

/** Parameters are resolved in a checked recipe. */
const places = new Set(['span', 'spans', 'line', 'text', 'params']);
const defaults: Readonly<Record<string, unknown>> = { globally: false, min: 1 };

function withoutPlaces(key: string, value: unknown): unknown {
	if (places.has(key) || defaults[key] === value) return undefined;
	return Array.isArray(value) && value.length === 0 && key !== 'steps' ? undefined : value;
}
