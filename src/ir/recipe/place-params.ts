/**
 * Parameters that hold strings, words, ranges and lists are put in the place of their `$name`, before anything is
 * checked: a checked statement says the same as if its author had written the value there. Numbers stay `$name`, since
 * their unit and name belong into messages.
 */
import { type Diagnostic, type Span } from '../../diagnostic.ts';
import { paramMisplaced } from '../../messages/declarations.ts';
import {
	type Item,
	type NumberSyntax,
	type Positions,
	type RangeSyntax,
	type TextSyntax,
	type ValueSyntax,
	type Word,
} from '../../parser/syntax.ts';
import { kindText } from './params.ts';

/** What is known of parameters: their values, and what to say of one that is not there. */
export type Known = {
	/** Another `$name` to stand in its place, where the value is not known yet. */
	readonly valueOf: (name: string) => ValueSyntax | undefined;
	readonly missing: (name: string, span: Span) => void;
	readonly problems: Diagnostic[];
};

/** A statement, or any part of one, with the values in place. */
export function placeParams<T>(part: T, known: Known): T {
	if (Array.isArray(part)) return part.map((one: unknown) => placeParams(one, known)) as T;
	if (typeof part !== 'object' || part === null) return part;
	if ('param' in part) {
		if ('text' in part) return wordAt(part as never, known) as T;
		return { ...('kind' in part && { kind: part.kind }), ...textAt(part as never, known) } as T;
	}
	if ('ranges' in part) return positionsAt(part as never, known) as T;
	const replaced = isCounted(part)
		? itemAt(part, known)
		: isSetting(part)
			? settingAt(part, known)
			: undefined;
	if (replaced !== undefined) return replaced as T;
	return Object.fromEntries(
		Object.entries(part).map(([key, one]) => [key, placeParams<unknown>(one, known)]),
	) as T;
}

/** The value is the place of a file that it names: messages point where the name is written. */
function textAt(text: TextSyntax, known: Known): TextSyntax {
	const { param = '', span } = text;
	const value = known.valueOf(param);
	if (value?.kind === 'text') return withoutKind(value);
	if (value?.kind === 'param') return { value: '', span, param: value.name };
	complain(param, value, 'a string', span, known);
	return text;
}

function withoutKind({ kind: _, ...text }: Extract<ValueSyntax, { kind: 'text' }>): TextSyntax {
	return text;
}

function wordAt(word: Word, known: Known): Word {
	const { param = '', span } = word;
	const value = known.valueOf(param);
	if (value?.kind === 'word') return { text: value.text, span };
	if (value?.kind === 'param') return { text: `$${value.name}`, span, param: value.name };
	complain(param, value, 'a word', span, known);
	return word;
}

function complain(
	name: string,
	value: ValueSyntax | undefined,
	needed: string,
	span: Span,
	{ missing, problems }: Known,
): void {
	if (value === undefined) missing(name, span);
	else problems.push(paramMisplaced({ name, kind: kindText(value), needed }, { span }));
}

/** `$upper` alone is what it holds; in a list its positions are among the others. */
function positionsAt(positions: Positions, known: Known): Positions {
	const { ranges, listed } = positions;
	const held = ranges.map((range) => heldBy(range, known));
	const [only] = held;
	const alone = !listed && held.length === 1 && only !== undefined;
	return {
		...positions,
		ranges: ranges.flatMap((range, at): readonly RangeSyntax[] => held[at]?.ranges ?? [range]),
		listed: alone ? only.listed : listed,
	};
}

function heldBy(range: RangeSyntax, known: Known): Positions | undefined {
	const value = range.kind === 'index' ? typedOf(range.at, known) : undefined;
	return value?.kind === 'positions' ? value : undefined;
}

/** What `$name` holds, where it is no number; with a sign before it, it has to be one. */
function typedOf(number: NumberSyntax, { valueOf }: Known): ValueSyntax | undefined {
	return number.kind === 'param' && !number.negative ? valueOf(number.name) : undefined;
}

type Counted = Extract<Item, { readonly value: NumberSyntax }>;

function isCounted(part: object): part is Counted {
	return 'kind' in part && (part.kind === 'count' || part.kind === 'keep') && 'value' in part;
}

/** `prune layers $which`, `keep $file`: an item of another kind when the parameter holds no number. */
function itemAt({ kind, value: number, span }: Counted, known: Known): Item | undefined {
	const value = typedOf(number, known);
	const keeps = kind === 'keep';
	if (value?.kind === 'positions')
		return { kind: keeps ? 'keep-list' : 'set', positions: { ...value, span: number.span }, span };
	if (value?.kind === 'text' && keeps) return { kind: 'keep-file', path: withoutKind(value), span };
	return value?.kind === 'word' && keeps
		? { kind: 'keep-word', word: { text: value.text, span: number.span }, span }
		: undefined;
}

type SettingPart = { readonly name: Word; readonly value: NumberSyntax; readonly span: Span };

function isSetting(part: object): part is SettingPart {
	return 'name' in part && 'value' in part && !('kind' in part);
}

/** `metric $measure`. */
function settingAt(setting: SettingPart, known: Known): object | undefined {
	const value = typedOf(setting.value, known);
	return value?.kind === 'word'
		? { ...setting, value: { kind: 'word', text: value.text, span: setting.value.span } }
		: undefined;
}
