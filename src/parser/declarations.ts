/** Statements that transform nothing, from the grammar's tree: what each says, or nothing when a needed part is missing. */
import { type CstNode, type IToken } from 'chevrotain';
import { type Diagnostic, present, type Span } from '../diagnostic.ts';
import * as messages from '../messages/parse.ts';
import { described } from './complaints.ts';
import { leaf, node, nodes, spanOf, tokenSpan } from './cst.ts';
import { readConsent, readValue, wordOf } from './items.ts';
import { readBound, readMeasures, readSubject } from './measures.ts';
import { type Setting, type Statement } from './syntax.ts';
import { readNumber, readText, readTextNode } from './values.ts';

/** What all statements have. */
export type Parts = {
	readonly span: Span;
	readonly line: number;
	readonly broken: boolean;
	readonly doc?: string;
};
type Make = (from: CstNode, parts: Parts, problems: Diagnostic[]) => Statement | undefined;

/** By the name of the grammar's rule. */
export const makers: Readonly<Record<string, Make>> = {
	header: makeRecipe,
	param: makeParam,
	sizes: makeInput,
	protect: makeProtect,
	calibrate: (from, parts, problems) => makeData('calibrate', from, parts, problems),
	evaluate: (from, parts, problems) => makeData('evaluate', from, parts, problems),
	require: makeRequire,
	consent: makeMay,
	expect: makeExpect,
	use: makeUse,
	apply: makeApply,
};

function makeRecipe(from: CstNode, parts: Parts): Statement | undefined {
	const [name, version, text] = [leaf(from, 'RecipeName'), leaf(from, 'Version'), leaf(from, 'String')];
	if (name === undefined) return undefined;
	return {
		kind: 'recipe',
		name: wordOf(name),
		...(version !== undefined && { version: wordOf(version) }),
		...(text !== undefined && { description: readText(text) }),
		...parts,
	};
}

/** A parameter whose value could not be read is still declared. */
function makeParam(from: CstNode, parts: Parts, problems: Diagnostic[]): Statement | undefined {
	const name = leaf(from, 'Word');
	if (name === undefined) return undefined;
	const [value, low, high] = [node(from, 'value'), node(from, 'from'), node(from, 'to')];
	return {
		kind: 'param',
		name: wordOf(name),
		...(value !== undefined && { value: readValue(value, problems) }),
		...(low !== undefined &&
			high !== undefined && { from: readNumber(low, problems), to: readNumber(high, problems) }),
		...parts,
	};
}

function makeInput(from: CstNode, parts: Parts, problems: Diagnostic[]): Statement | undefined {
	const [word, text] = [leaf(from, 'Word'), leaf(from, 'String')];
	const dims = leaf(from, 'Sizes') ?? leaf(from, 'Number');
	if (dims === undefined || (word === undefined && text === undefined)) return undefined;
	const name = text === undefined ? nameText(present(word, 'the name of an input')) : readText(text);
	const sizes = dims.image.split('x').map(Number);
	if (sizes.some((size) => !Number.isSafeInteger(size))) {
		const wanted = 'sizes, as `input input_ids 1x128`';
		problems.push(messages.expected({ wanted, found: described(dims) }, { span: tokenSpan(dims) }));
		return undefined;
	}
	return {
		kind: 'input',
		name: { ...name, quoted: text !== undefined },
		dims: sizes,
		dimsSpan: tokenSpan(dims),
		...parts,
	};
}

function nameText(token: IToken): { value: string; span: Span } {
	return { value: token.image, span: tokenSpan(token) };
}

function makeProtect(from: CstNode, parts: Parts): Statement | undefined {
	const globs = nodes(from, 'text').map(readTextNode);
	return globs.length === 0 ? undefined : { kind: 'protect', globs, ...parts };
}

function makeData(
	kind: 'calibrate' | 'evaluate',
	from: CstNode,
	parts: Parts,
	problems: Diagnostic[],
): Statement | undefined {
	const path = node(from, 'text');
	if (path === undefined) return undefined;
	const settings = nodes(from, 'setting').flatMap((one): Setting[] => {
		const [name, word, number] = [leaf(one, 'name'), leaf(one, 'value'), node(one, 'number')];
		if (name === undefined || (word === undefined && number === undefined)) return [];
		const value = number === undefined ? undefined : readNumber(number, problems);
		const chosen = value ?? { kind: 'word' as const, ...wordOf(present(word, 'the value of a setting')) };
		return [{ name: wordOf(name), value: chosen, span: spanOf(one) }];
	});
	return { kind, path: readTextNode(path), settings, ...parts };
}

function makeExpect(from: CstNode, parts: Parts, problems: Diagnostic[]): Statement | undefined {
	const [subject, bound] = [readSubject(from), readBound(from, problems)];
	if (subject.length === 0 || bound === 'broken') return undefined;
	return { kind: 'expect', subject, ...(bound && { bound }), ...parts };
}

function makeRequire(from: CstNode, parts: Parts, problems: Diagnostic[]): Statement | undefined {
	const [subject, bound] = [readSubject(from), readBound(from, problems)];
	if (subject.length === 0 || bound === 'broken') return undefined;
	const measures = readMeasures(from, problems);
	return { kind: 'require', subject, ...(bound && { bound }), measures, ...parts };
}

function makeMay(from: CstNode, parts: Parts, problems: Diagnostic[]): Statement | undefined {
	const names = readConsent(from, problems);
	return names.length === 0 ? undefined : { kind: 'may', names, ...parts };
}

function makeUse(from: CstNode, parts: Parts): Statement | undefined {
	const [source, alias] = [leaf(from, 'String'), leaf(from, 'Word')];
	if (source === undefined) return undefined;
	return {
		kind: 'use',
		source: readText(source),
		...(alias !== undefined && { alias: wordOf(alias) }),
		...parts,
	};
}

function makeApply(from: CstNode, parts: Parts, problems: Diagnostic[]): Statement | undefined {
	const name = leaf(from, 'Word');
	if (name === undefined) return undefined;
	const list = nodes(from, 'argument').flatMap((one) => {
		const [word, value] = [leaf(one, 'Word'), node(one, 'value')];
		if (word === undefined || value === undefined) return [];
		return [{ name: wordOf(word), value: readValue(value, problems), span: spanOf(one) }];
	});
	return { kind: 'apply', name: wordOf(name), arguments: list, ...parts };
}
