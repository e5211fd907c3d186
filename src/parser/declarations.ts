/** Statements that transform nothing, from the grammar's tree: what each says, or nothing when a needed part is missing. */
import { type CstNode, type IToken } from 'chevrotain';
import { type Diagnostic, present, type Span } from '../diagnostic.ts';
import * as messages from '../messages/parse.ts';
import { described } from './complaints.ts';
import { inOrder, leaf, leaves, node, nodes, spanOf, tokenSpan } from './cst.ts';
import { wordOf } from './items.ts';
import { type ComparisonSign, type Statement } from './syntax.ts';
import { isText, readNumber, readText } from './values.ts';

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
	calibrate: makeCalibrate,
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
		...(value !== undefined && { value: readNumber(value, problems) }),
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
	const globs = leaves(from, 'String').map((text) => readText(text));
	return globs.length === 0 ? undefined : { kind: 'protect', globs, ...parts };
}

function makeCalibrate(from: CstNode, parts: Parts, problems: Diagnostic[]): Statement | undefined {
	const path = leaf(from, 'String');
	if (path === undefined) return undefined;
	const settings = inOrder(from).flatMap((child, index, all) => {
		const name = all[index - 1];
		if (!('children' in child) || name === undefined || !('image' in name) || isText(name)) return [];
		const span = { start: tokenSpan(name).start, end: spanOf(child).end };
		return [{ name: wordOf(name), value: readNumber(child, problems), span }];
	});
	return { kind: 'calibrate', path: readText(path), settings, ...parts };
}

function makeExpect(from: CstNode, parts: Parts, problems: Diagnostic[]): Statement | undefined {
	const subject = leaves(from, 'Word').map(wordOf);
	const [sign, value] = [leaf(from, 'ComparisonSign') ?? leaf(from, 'Equal'), node(from, 'bound')];
	if (sign?.image === '=') problems.push(messages.singleEquals({}, { span: tokenSpan(sign) }));
	if (subject.length === 0 || (sign === undefined) !== (value === undefined)) return undefined;
	if (sign === undefined || value === undefined) return { kind: 'expect', subject, ...parts };
	const number = readNumber(value, problems);
	const span = { start: tokenSpan(sign).start, end: number.span.end };
	const image = sign.image === '=' ? '==' : (sign.image as ComparisonSign);
	return { kind: 'expect', subject, bound: { sign: image, value: number, span }, ...parts };
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
		const [word, value] = [leaf(one, 'Word'), node(one, 'bound')];
		if (word === undefined || value === undefined) return [];
		return [{ name: wordOf(word), value: readNumber(value, problems), span: spanOf(one) }];
	});
	return { kind: 'apply', name: wordOf(name), arguments: list, ...parts };
}
