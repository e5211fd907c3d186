/** The verb and the targets of a transform: which techniques it means, and where it most likely ends. */
import { type Diagnostic } from '../../diagnostic.ts';
import * as messages from '../../messages/check.ts';
import { nearest } from '../../messages/nearest.ts';
import { type Item, type Phrase, type TransformStatement, type Word } from '../../parser/syntax.ts';
import { unexpected } from '../../messages/parse.ts';
import { clauseWords, openers, operatorWords } from '../../parser/words.ts';
import { unitFields } from './check-condition.ts';
import { type Checking } from './checking.ts';
import { amountWords, clausesOf, targetNames, type TechniqueWords } from './vocabulary.ts';

type Techniques = readonly TechniqueWords[];

export function unknownVerb({ text, span }: Word, { vocabulary: { techniques } }: Checking): Diagnostic {
	const home = techniques.find((one) => targetNames(one).includes(text));
	const known = [...new Set([...techniques.map((one) => one.verb), ...openers])];
	return messages.unknownVerb({ found: text, known, target: home?.example }, { span });
}

/** Whether a word that means nothing where it stands begins a statement. */
export function beginsStatement(word: string, { vocabulary }: Checking): boolean {
	return openers.some((opener) => opener === word) || vocabulary.techniques.some((one) => one.verb === word);
}

/**
 * The items before the first word that begins no clause: what follows is most likely another statement. Signs behind
 * targets are told where no word of the targets was (`silent`).
 */
export function upToStray(
	{ items }: TransformStatement,
	techniques: Techniques,
	silent: boolean,
	checking: Checking,
): readonly Item[] {
	const at = items.findIndex((item) => item.kind === 'stray');
	const stray = items[at];
	if (stray?.kind !== 'stray') return items;
	const before = items[at - 1]?.kind;
	const joins = before === 'where' || before === 'when' ? operatorWords : [];
	if (!silent) checking.problems.push(strayWord(stray.word, techniques, checking, joins));
	return beginsStatement(stray.word.text, checking)
		? items.slice(0, at)
		: items.filter((item) => item.kind !== 'stray');
}

function strayWord(
	{ text: found, span }: Word,
	techniques: Techniques,
	checking: Checking,
	joins: readonly string[] = [],
): Diagnostic {
	if (beginsStatement(found, checking)) return messages.missingTerminator({ found }, { span });
	if (!/^[A-Za-z_$]/.test(found))
		return unexpected({ found: `\`${found}\``, hint: 'a condition stands behind `where`' }, { span });
	const { techniques: all, metrics } = checking.vocabulary;
	const targets = all.filter(({ verb }) => verb === techniques[0]?.verb).flatMap(targetNames);
	const fields: readonly string[] = [...unitFields, 'name', ...metrics.map(({ name }) => name)];
	const is = targets.includes(found) ? 'target' : fields.includes(found) ? 'field' : undefined;
	const listed = [...new Set(techniques.flatMap((one) => [...amountWords(one), ...clausesOf(one)]))];
	const known = [...new Set([...joins, ...listed, ...clauseWords])];
	return messages.unknownClause({ found, known, listed, is }, { span });
}

/** The techniques that a statement names, each once, in order; `whole` unless a word behind a target means nothing. */
export function targetsOf(
	statement: TransformStatement,
	techniques: Techniques,
	checking: Checking,
): { readonly chosen: Techniques; readonly whole: boolean } {
	const { verb, targets, broken } = statement;
	if (targets.length === 0) {
		const alone = techniques.filter(({ target }) => target === undefined);
		if (alone.length === 0 && !broken) {
			const example = techniques[0]?.example ?? verb.text;
			checking.problems.push(messages.missingTarget({ verb: verb.text, example }, { span: verb.span }));
		}
		return { chosen: alone, whole: alone.length > 0 };
	}
	const chosen = new Map<TechniqueWords, string>();
	let whole = true;
	for (const phrase of targets) {
		const { technique, name, rest } = longestName(phrase, techniques);
		const [next] = rest;
		whole &&= technique !== undefined && next === undefined;
		const [standsAlone] = techniques.every(({ target }) => target === undefined) ? techniques : [];
		if (standsAlone !== undefined && phrase.words[0] !== undefined) {
			checking.problems.push(strayWord(phrase.words[0], [standsAlone], checking));
			chosen.set(standsAlone, '');
		} else if (technique === undefined)
			checking.problems.push(unknownTarget(phrase, statement, techniques, checking));
		else if (next !== undefined) checking.problems.push(strayWord(next, [technique], checking));
		else if (chosen.has(technique))
			checking.problems.push(
				messages.duplicateTarget(
					{ found: name, first: chosen.get(technique) ?? name },
					{ span: phrase.span },
				),
			);
		if (technique !== undefined) chosen.set(technique, chosen.get(technique) ?? name);
	}
	return { chosen: [...chosen.keys()], whole };
}

/** The longest beginning of a phrase that names a target, and what stands behind it. */
function longestName(
	{ words }: Phrase,
	techniques: Techniques,
): { readonly technique?: TechniqueWords; readonly name: string; readonly rest: readonly Word[] } {
	for (let count = words.length; count > 0; count--) {
		const name = words
			.slice(0, count)
			.map(({ text }) => text)
			.join(' ');
		const technique = techniques.find((one) => targetNames(one).includes(name));
		if (technique !== undefined) return { technique, name, rest: words.slice(count) };
	}
	return { name: '', rest: [] };
}

function unknownTarget(
	phrase: Phrase,
	{ verb }: TransformStatement,
	techniques: Techniques,
	checking: Checking,
): Diagnostic {
	const verbAt = phrase.words.find(({ text }) => beginsStatement(text, checking));
	if (verbAt !== undefined) return messages.missingTerminator({ found: verbAt.text }, { span: verbAt.span });
	const known = techniques.flatMap(targetNames);
	const listed = techniques.flatMap(({ target }) => target ?? []);
	const [first = phrase] = phrase.words;
	const named = phrase.words.findIndex(({ text }) => known.includes(text));
	if (named > 0) {
		const words = phrase.words.slice(0, named + 1);
		const found = words.map(({ text }) => text).join(' ');
		const span = { start: first.span.start, end: words.at(-1)?.span.end ?? first.span.end };
		return messages.unknownTarget(
			{ found, known: words.slice(-1).map(({ text }) => text), verb: verb.text },
			{ span },
		);
	}
	const { text: found, span } = nearest(phrase.text, known) === undefined ? first : phrase;
	return messages.unknownTarget({ found, known, listed, verb: verb.text }, { span });
}
