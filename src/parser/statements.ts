/** One line of the grammar becomes one statement of the syntax, with a message for each part that cannot be read. */
import { type CstNode, type IRecognitionException, tokenMatcher } from 'chevrotain';
import { type Diagnostic } from '../diagnostic.ts';
import { causeOf, complaint, leftover, noStatement, oddity } from './complaints.ts';
import { leaf, leaves, node, nodes, spanOf } from './cst.ts';
import { readItem, strayToken, wordOf } from './items.ts';
import { makers, type Parts } from './declarations.ts';
import { type Item, type Phrase, type Statement } from './syntax.ts';
import { Word } from './tokens.ts';

/** What the statements of one text share. */
export type Source = {
	readonly lineOf: (offset: number) => number;
	/** Of the lines above an offset, the `##` ones that touch it. */
	readonly docAbove: (offset: number) => string | undefined;
	/** The stretch of a statement an offset is in: from one clause word up to the next, numbered through the text. */
	readonly stretchOf: (offset: number) => number;
	/** Stretches with characters or brackets that were reported already: what else is wrong there follows from it. */
	readonly spoilt: ReadonlySet<number>;
};

type Outcome = { readonly statement?: Statement; readonly diagnostics: readonly Diagnostic[] };

/** Reads a `line` node; `errors` are the grammar's errors inside it. */
export function readStatement(
	line: CstNode,
	errors: readonly IRecognitionException[],
	source: Source,
): Outcome {
	const span = spanOf(line);
	const mishaps = mishapsOf(line, errors, source);
	const doc = source.docAbove(span.start);
	const isSpoilt = (offset: number): boolean => source.spoilt.has(source.stretchOf(offset));
	const fresh = mishaps.filter((one) => !isSpoilt(one.cause));
	const broken = mishaps.some((one) => one.diagnostic !== undefined || isSpoilt(one.cause));
	const parts = { span, line: source.lineOf(span.start), broken, ...(doc !== undefined && { doc }) };
	const problems: Diagnostic[] = [];
	const statement = makeStatement(line, parts, fresh, problems);
	const diagnostics = [
		...fresh.flatMap((one) => one.diagnostic ?? []),
		...problems.filter((one) => !isSpoilt(one.span?.start ?? 0)),
	];
	if (statement === undefined) return { diagnostics };
	return { statement: problems.length > 0 ? { ...statement, broken: true } : statement, diagnostics };
}

function makeStatement(
	line: CstNode,
	parts: Parts,
	mishaps: readonly Mishap[],
	problems: Diagnostic[],
): Statement | undefined {
	const transform = node(line, 'transform');
	if (transform !== undefined) return makeTransform(transform, parts, mishaps, problems);
	for (const [name, make] of Object.entries(makers)) {
		const from = node(line, name);
		if (from !== undefined) return make(from, parts, problems);
	}
	return undefined;
}

/** A place where reading went wrong: with a message, or a word that the checker will have a message for. */
type Mishap = { readonly cause: number; readonly diagnostic?: Diagnostic; readonly stray?: CstNode };

/** Only the first mishap of a stretch counts: what follows up to the next clause word is its consequence. */
function mishapsOf(
	line: CstNode,
	errors: readonly IRecognitionException[],
	source: Source,
): readonly Mishap[] {
	const all: Mishap[] = errors.map((error) => ({ cause: causeOf(error), diagnostic: complaint(error) }));
	const rest = leaf(line, 'rest');
	const junk = node(line, 'junk');
	const odd = junk && strayToken(junk);
	if (odd !== undefined) all.push({ cause: odd.startOffset, diagnostic: noStatement(odd) });
	else if (rest !== undefined) all.push({ cause: rest.startOffset, diagnostic: leftover(rest) });
	for (const stray of straysOf(line)) {
		const token = strayToken(stray);
		if (tokenMatcher(token, Word)) all.push({ cause: token.startOffset, stray });
		else all.push({ cause: token.startOffset, diagnostic: oddity(token) });
	}
	const sorted = all.toSorted((a, b) => a.cause - b.cause);
	if (junk !== undefined) return sorted.slice(0, 1);
	const stretches = sorted.map((one) => source.stretchOf(one.cause));
	return sorted.filter((_, index) => index === 0 || stretches[index] !== stretches[index - 1]);
}

function straysOf(line: CstNode): readonly CstNode[] {
	const transform = node(line, 'transform');
	return transform === undefined ? [] : nodes(transform, 'item').flatMap((item) => nodes(item, 'stray'));
}

function makeTransform(
	from: CstNode,
	parts: Parts,
	mishaps: readonly Mishap[],
	problems: Diagnostic[],
): Statement | undefined {
	const verb = leaf(from, 'Name');
	if (verb === undefined) return undefined;
	const items: Item[] = [];
	for (const item of nodes(from, 'item')) {
		const stray = node(item, 'stray');
		const read = item.recoveredNode === true ? undefined : readItem(item, problems);
		if (read !== undefined && !followsMishap(item, mishaps)) items.push(read);
		if (stray !== undefined && mishaps.some((one) => one.stray === stray)) {
			items.push({ kind: 'stray', word: wordOf(strayToken(stray)), span: spanOf(stray) });
		}
	}
	const targets = node(from, 'targets');
	return {
		kind: 'transform',
		verb: wordOf(verb),
		targets: targets === undefined ? [] : nodes(targets, 'phrase').map(phraseOf),
		items,
		...parts,
	};
}

/** Whether an item begins with no clause word and stands behind a mishap, whose remains it then is. */
function followsMishap(item: CstNode, mishaps: readonly Mishap[]): boolean {
	const { start } = spanOf(item);
	return node(item, 'amount') !== undefined && mishaps.some((one) => one.cause < start);
}

function phraseOf(from: CstNode): Phrase {
	const words = leaves(from, 'Word').map(wordOf);
	return { text: words.map(({ text }) => text).join(' '), words, span: spanOf(from) };
}
