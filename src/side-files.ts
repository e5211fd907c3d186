/** What lies beside a model, after tokens or classes are gone: the tokenizer, the dictionary. */
import { basename, dirname, join } from 'node:path';
import { type SideFile, type Target } from './backends/onnx/layout.ts';
import { readSettings, pathBeside } from './data/beside.ts';
import { classesBeside, classLines } from './data/lexicon.ts';
import { trimTokenizer } from './data/trim-tokenizer.ts';

/** Ids that steps have removed, of how many. */
export type Lost = { readonly unit: string; readonly of: number; readonly ids: ReadonlySet<number> };

type Step = {
	readonly technique: string;
	readonly unit: string;
	readonly of: number;
	readonly removed: readonly { readonly units: readonly number[] }[];
};

/** What statements about vocabularies have removed, in the model's own ids; undefined when nothing. */
export function lostIn(steps: readonly Step[]): Lost | undefined {
	const own = steps.filter(({ technique }) => technique === 'prune-vocab');
	const ids = new Set(own.flatMap(({ removed }) => removed.flatMap(({ units }) => units)));
	const [first] = own;
	return first === undefined || ids.size === 0 ? undefined : { unit: first.unit, of: first.of, ids };
}

/** The target with its side files as the result needs them. A dictionary goes along with a lone file too, as `<model>.keys.txt`. */
export function withSides(target: Target, model: string, lost: Lost | undefined): Target {
	if (lost === undefined) return target;
	const changed = lost.unit === 'tokens' ? tokenizerOf(model, lost) : dictionaryOf(model, target, lost);
	if (changed === undefined) return target;
	const others = target.sides.filter(({ name }) => name !== changed.name);
	const goes = others.length < target.sides.length || lost.unit === 'classes';
	return goes ? { ...target, sides: [...others, changed] } : target;
}

const textFile = (name: string, text: string): SideFile => ({ name, read: () => Buffer.from(text) });

function tokenizerOf(model: string, { ids }: Lost): SideFile | undefined {
	const path = pathBeside(model, 'tokenizer.json');
	if (path === undefined) return undefined;
	return textFile(
		'tokenizer.json',
		`${JSON.stringify(trimTokenizer(readSettings(path), ids), undefined, '  ')}\n`,
	);
}

function dictionaryOf(model: string, { name: file, sides }: Target, { ids, of }: Lost): SideFile | undefined {
	const classes = classesBeside(model, of);
	if (classes === undefined) return undefined;
	const goesAlong = sides.some(({ name }) => name === classes.name);
	const own = join(dirname(file), `${basename(file, '.onnx')}.keys.txt`);
	const lines = classLines(classes, (id) => !ids.has(id));
	return textFile(goesAlong ? classes.name : own, lines.map((line) => `${line}\n`).join(''));
}
