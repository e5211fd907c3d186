/** Data for a model: files become rows by their format, rows become examples by what the model takes. */
import { statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { fedInputs, type Shapes } from '../ir/graph/bindings.ts';
import { type Model, type ValueInfo } from '../ir/graph/graph.ts';
import { inputMissing, moreBadRows, noData, noFile, unfitModel, unknownFormat } from '../messages/data.ts';
import { readCsv, readTsv } from './csv.ts';
import { arraysOf, fitValue, offeredBy, piecesOf, wantedOf } from './fit.ts';
import { filesOf, type FileOf } from './folder.ts';
import { readImage } from './images.ts';
import { readJsonLines } from './jsonl.ts';
import { besideArray, labelOf } from './labels.ts';
import { readNpy, readNpz } from './npy.ts';
import { readParquet } from './parquet.ts';
import { layoutOf, preparationFor, prepareImage } from './preprocess.ts';
import { fillRoles, paddingOf } from './roles.ts';
import { readSafetensors } from './safetensors.ts';
import { type Example, type Field, type Label, type Pending, type Row, type Sample } from './sample.ts';
import { readSounds } from './sounds.ts';
import { readTestSet, testDataFolders } from './tensor-proto.ts';
import { readLines } from './text.ts';
import { readTexts, textColumns } from './texts.ts';
import { readWav } from './wav.ts';

/** Every format: how a file with this extension becomes rows. */
const formats: Readonly<Record<string, (path: string) => Row[] | Promise<Row[]>>> = {
	'.npy': readNpy,
	'.npz': readNpz,
	'.safetensors': readSafetensors,
	'.jsonl': readJsonLines,
	'.csv': readCsv,
	'.tsv': readTsv,
	'.parquet': readParquet,
	'.txt': readLines,
	'.png': readImage,
	'.jpg': readImage,
	'.jpeg': readImage,
	'.wav': readWav,
};

export type DataOptions = {
	readonly path: string;
	/** The model's file: tokenizers and preprocessor settings lie beside it. */
	readonly modelPath: string;
	readonly shapes?: Shapes;
	/** The most tokens of a text. */
	readonly tokens?: number;
};

/** Examples in the order of the data; each is made when it is asked for. */
export type Data = {
	/** How the data became inputs, in words. */
	readonly words: string;
	readonly examples: readonly Pending[];
};

/** Throws `Fault` for data that cannot be read or does not fit the model. */
export async function openData(model: Model, options: DataOptions): Promise<Data> {
	const rows = await rowsOf(options.path, fedInputs(model));
	const [first] = rows;
	if (first === undefined) throw new Fault(noData({ path: options.path, what: 'row' }));
	const reading = readingFor(first, fedInputs(model), options);
	const examples = collect(rows, reading.read);
	return { words: reading.words(), examples };
}

/** Rows that cannot be used are all looked at before the first one stops everything. */
function collect(rows: readonly Row[], read: Reading['read']): Data['examples'] {
	const problems: Diagnostic[] = [];
	const shown = 5;
	const examples = rows.flatMap((row) => {
		try {
			return read(row);
		} catch (problem) {
			if (!(problem instanceof Fault)) throw problem;
			problems.push(...problem.diagnostics);
			return [];
		}
	});
	if (problems.length === 0) return examples;
	const rest = problems.length - shown;
	throw new Fault(
		...problems.slice(0, shown),
		...(rest > 0 ? [moreBadRows({ count: rest, of: rows.length })] : []),
	);
}

/** The rows of a file or folder; `inputs` are those of the model, for data that is matched with them by place. */
export async function rowsOf(path: string, inputs: readonly ValueInfo[]): Promise<Row[]> {
	let isFolder: boolean;
	try {
		isFolder = statSync(path).isDirectory();
	} catch {
		throw new Fault(noFile({ path, cause: 'there is no such file or folder' }));
	}
	if (!isFolder) return rowsOfFile({ path });
	const sets = testDataFolders(path);
	if (sets.length > 0) return sets.map((folder) => testRow(folder, inputs));
	const files = filesOf(path, new Set(Object.keys(formats)));
	if (files.length === 0)
		throw new Fault(noData({ path, what: `file that is read (${Object.keys(formats).join(' ')})` }));
	const columns = inputs.map(({ name }) => files.find((file) => basename(file.path) === `${name}.npy`));
	if (columns.every((file) => file !== undefined)) return [await together(path, columns)];
	const rows: Row[] = [];
	for (const file of files) rows.push(...(await rowsOfFile(file)));
	return rows;
}

function testRow(folder: string, inputs: readonly ValueInfo[]): Row {
	const values = readTestSet(folder, inputs);
	return {
		fields: new Map([...values].map(([name, value]) => [name, { kind: 'tensor', value }])),
		at: folder,
	};
}

/** Arrays in files named after the inputs of the model are one batch. */
async function together(at: string, files: readonly FileOf[]): Promise<Row> {
	const fields = new Map<string, Field>();
	for (const file of files)
		for (const row of await rowsOfFile(file)) for (const [name, field] of row.fields) fields.set(name, field);
	return { fields, at };
}

async function rowsOfFile({ path, label }: FileOf): Promise<Row[]> {
	const extension = extname(path).toLowerCase();
	const format = formats[extension];
	if (format === undefined) throw new Fault(unknownFormat({ path, extension, known: Object.keys(formats) }));
	const rows = await format(path);
	const beside: Field | undefined = label === undefined ? undefined : { kind: 'plain', value: label };
	const labels = extension === '.npy' ? besideArray(path) : beside;
	return labels === undefined
		? rows
		: rows.map((row) => ({ ...row, fields: new Map([...row.fields, ['label', labels]]) }));
}

type Reading = {
	/** Asked after the rows were read. */
	readonly words: () => string;
	readonly read: (row: Row) => readonly Pending[];
};

/** How rows like the first become examples. */
function readingFor(row: Row, inputs: readonly ValueInfo[], options: DataOptions): Reading {
	const kinds = new Set([...row.fields.values()].map(({ kind }) => kind));
	if (kinds.has('image')) return imageReading(inputs, options);
	if (kinds.has('sound')) return soundReading(inputs, options);
	const isNamed = inputs.some(({ name }) => row.fields.has(name));
	const texts = isNamed || kinds.has('tensor') ? undefined : textColumns(row);
	return texts === undefined ? arrayReading(inputs) : textReading(inputs, options, texts);
}

function imageReading(inputs: readonly ValueInfo[], { path, modelPath, shapes }: DataOptions): Reading {
	const input = inputs.find((one) => layoutOf(one) !== undefined);
	if (input === undefined)
		throw new Fault(
			unfitModel({
				what: 'an image',
				why: 'none of its inputs has the four axes of images',
				wanted: inputs.map(wantedOf),
			}),
		);
	const preparation = preparationFor(input, modelPath, path, shapes?.get(input.name));
	return {
		words: () => `images ${preparation.words}`,
		read: (row) => {
			const image = [...row.fields.values()].find(({ kind }) => kind === 'image');
			const label = labelOf(row);
			const feeds = (): Sample =>
				image?.kind === 'image'
					? new Map([[input.name, prepareImage(image.open(), input, preparation)]])
					: new Map();
			return [pending(label, () => complete(row, inputs, feeds(), label))];
		},
	};
}

function soundReading(inputs: readonly ValueInfo[], { modelPath }: DataOptions): Reading {
	const reading = readSounds(inputs, modelPath);
	return {
		words: () => reading.words,
		read: (row) => {
			const sound = [...row.fields.values()].find(({ kind }) => kind === 'sound');
			const pieces = sound?.kind === 'sound' ? reading.prepare(sound.open()) : [];
			const label = labelOf(row);
			return pieces.map((feeds, at) => {
				const piece = pieces.length > 1 ? { ...row, at: `${row.at}[${at}]` } : row;
				return pending(label, () => complete(piece, inputs, feeds, label));
			});
		},
	};
}

function textReading(
	inputs: readonly ValueInfo[],
	{ modelPath, tokens }: DataOptions,
	columns: readonly [string, string],
): Reading {
	const reading = readTexts(inputs, modelPath, columns, tokens);
	return {
		words: () => reading.words,
		read: (row) => {
			const feeds = reading.prepare(row);
			const label = labelOf(row);
			return [pending(label, () => complete(row, inputs, feeds, label))];
		},
	};
}

function arrayReading(inputs: readonly ValueInfo[]): Reading {
	const added = new Set<string>();
	const unused = new Set<string>();
	return {
		words: () => {
			const parts = [
				added.size > 0 ? `added: ${[...added].join(', ')}` : '',
				unused.size > 0 ? `not used: ${[...unused].join(', ')}` : '',
			].filter((part) => part !== '');
			return parts.length === 0 ? 'arrays by name' : `arrays by name; ${parts.join('; ')}`;
		},
		read: (row) => {
			const given = arraysOf(row, inputs);
			const fitting = new Map(
				inputs.flatMap((input) => {
					const value = given.get(input.name);
					return value === undefined ? [] : [[input.name, fitValue(input, value, row.at)] as const];
				}),
			);
			const { feeds, words } = fillRoles(inputs, fitting);
			for (const word of words) added.add(word);
			if (given.size > 1 || row.fields.size > 2)
				for (const name of row.fields.keys()) if (!given.has(name) && name !== 'label') unused.add(name);
			demand(row, inputs, feeds);
			return piecesOf(row, inputs, feeds).map(({ feeds: own, label, at }) =>
				pending(label, () => finish(own, inputs, label, at)),
			);
		},
	};
}

function pending(label: Label | undefined, make: () => Example): Pending {
	return { make, ...(label !== undefined && { label }) };
}

/** Fills in what follows from the data and stops when an input is still without a value. */
function complete(row: Row, inputs: readonly ValueInfo[], given: Sample, label: Label | undefined): Example {
	const { feeds } = fillRoles(inputs, given);
	demand(row, inputs, feeds);
	return finish(feeds, inputs, label, row.at);
}

function demand(row: Row, inputs: readonly ValueInfo[], feeds: Sample): void {
	const missing = inputs.filter(({ name }) => !feeds.has(name)).map(({ name }) => name);
	if (missing.length === 0) return;
	throw new Fault(
		inputMissing({ missing, wanted: inputs.map(wantedOf), offered: offeredBy(row) }, { at: row.at }),
	);
}

function finish(feeds: Sample, inputs: readonly ValueInfo[], label: Label | undefined, at: string): Example {
	const mask = paddingOf(inputs, feeds);
	return { feeds, at, ...(mask && { mask }), ...(label !== undefined && { label }) };
}
