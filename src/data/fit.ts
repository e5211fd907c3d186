/** Arrays and nested lists as a model's inputs: matched by name, checked, cut into examples along the batch. */
import { Fault } from '../diagnostic.ts';
import { elementType, typeName } from '../ir/graph/dtype.ts';
import { elementCount, type Dim, type ValueInfo } from '../ir/graph/graph.ts';
import { misfit, type Wanted } from '../messages/data.ts';
import { isLabel, labelArray, labelAt, labelOf } from './labels.ts';
import { rejectRow } from './rows.ts';
import { type Label, type Row, type Sample, type SampleValue } from './sample.ts';

const shapeText = (dims: readonly Dim[]): string => `[${dims.map((dim) => dim ?? '?').join(', ')}]`;

/** An input in words. */
export function wantedOf({ name, type, dims }: ValueInfo): Wanted {
	return { name, type: typeName(type), shape: dims === undefined ? 'of any rank' : shapeText(dims) };
}

/** What a row offers, in words: `ids int64 [2000, 96]`, `text (text)`. */
export function offeredBy(row: Row): string[] {
	return [...row.fields].map(([name, field]) => {
		if (field.kind === 'tensor')
			return `${name} ${typeName(field.value.type)} ${shapeText(field.value.dims)}`;
		if (field.kind !== 'plain') return `${name} (${field.kind})`;
		return `${name} (${Array.isArray(field.value) ? 'list' : field.value === null ? 'nothing' : typeof field.value})`;
	});
}

/** The values in a row for the model's inputs, by name; a lone array goes to a lone input under any name. */
export function arraysOf(row: Row, inputs: readonly ValueInfo[]): Map<string, SampleValue> {
	const columns = [...row.fields].filter(([name]) => !isLabel(name));
	const [only] = columns;
	const isFree = columns.length === 1 && only !== undefined && !inputs.some(({ name }) => name === only[0]);
	// Of several inputs, a lone array is the first; what follows from it is filled in later.
	const [first] = inputs;
	const values = new Map<string, SampleValue>();
	for (const input of inputs) {
		const field = isFree && input === first ? only[1] : row.fields.get(input.name);
		if (field?.kind === 'tensor') values.set(input.name, field.value);
		if (field?.kind === 'plain' && (typeof field.value === 'number' || Array.isArray(field.value)))
			values.set(input.name, listed(field.value, input, row.at));
	}
	return values;
}

/** A number or a nested list as a tensor of the input's type. */
function listed(value: unknown, { name, type }: ValueInfo, at: string): SampleValue {
	const dims: number[] = [];
	for (let level = value; Array.isArray(level); level = (level as unknown[])[0]) dims.push(level.length);
	const data = (Array.isArray(value) ? value.flat(Infinity) : [value]) as unknown[];
	if (data.some((one) => typeof one !== 'number'))
		return rejectRow(at, `\`${name}\` holds something that is no number`);
	if (data.length !== elementCount(dims)) return rejectRow(at, `\`${name}\` has rows of different lengths`);
	return { type, dims, data: data as number[] };
}

/** A value as an input takes it: of its element type, of its rank. Throws `Fault` when it does not fit. */
export function fitValue(input: ValueInfo, value: SampleValue, at: string): SampleValue {
	const found = `${typeName(value.type)} ${shapeText(value.dims)}`;
	const fail = (why: string): never => {
		throw new Fault(misfit({ name: input.name, found, why, wanted: wantedOf(input) }, { at }));
	};
	const { dims: wanted } = input;
	const missing = wanted === undefined ? 0 : wanted.length - value.dims.length;
	const dims = missing === 1 ? [1, ...value.dims] : value.dims;
	if (wanted !== undefined && dims.length !== wanted.length)
		return fail(`it has ${value.dims.length} axes, not ${wanted.length}`);
	const wrong = wanted?.findIndex(
		(dim, axis) => axis > 0 && typeof dim === 'number' && dim > 0 && dim !== dims[axis],
	);
	if (wrong !== undefined && wrong >= 0)
		return fail(`axis ${wrong} is ${dims[wrong] ?? 0}, not ${String(wanted?.[wrong])}`);
	const whole = elementType(input.type)?.kind !== 'float' && elementType(value.type)?.kind === 'float';
	if (whole && !Array.from(value.data).every(Number.isInteger)) return fail('it holds fractions');
	return { type: input.type, dims, data: value.data };
}

/** Axis 0 is the batch unless the model says that it is time. */
function hasBatch({ dims }: ValueInfo): boolean {
	const [first] = dims ?? [];
	return dims !== undefined && dims.length > 0 && !/seq|len|time|token|frame|past/i.test(String(first ?? ''));
}

export type Piece = { readonly feeds: Sample; readonly label?: Label; readonly at: string };

/**
 * The examples of a row of fitting values: cut along axis 0 into pieces of the batch that the model fixes, or of one, when
 * every input is a batch of the same length. What is left over is an error, never dropped.
 */
export function piecesOf(row: Row, inputs: readonly ValueInfo[], feeds: Sample): Piece[] {
	const fixed =
		inputs.map(({ dims }) => dims?.[0]).find((dim): dim is number => typeof dim === 'number' && dim > 0) ?? 1;
	const counts = new Set(inputs.map(({ name }) => feeds.get(name)?.dims[0]));
	const [count = 1] = counts;
	const labels = labelArray(row);
	const label = labelOf(row);
	const isBatch = counts.size === 1 && inputs.every(hasBatch);
	if (labels !== undefined && labels.dims[0] !== (isBatch ? count : 1))
		rejectRow(row.at, `there are ${labels.dims[0] ?? 1} labels for ${isBatch ? count : 1} examples`);
	if (!isBatch || count === fixed) {
		const own = label ?? (labels && count === 1 ? labelAt(labels, 0) : undefined);
		return [{ feeds, at: row.at, ...(own !== undefined && { label: own }) }];
	}
	if (count % fixed !== 0)
		rejectRow(row.at, `${count} rows are no multiple of the model's batch of ${fixed}`);
	return Array.from({ length: count / fixed }, (_, at) => ({
		feeds: new Map([...feeds].map(([name, value]) => [name, rowsOf(value, at * fixed, fixed)])),
		at: `${row.at}[${at * fixed}]`,
		...(labels !== undefined && {
			label: fixed === 1 ? labelAt(labels, at) : labelsAt(labels, at * fixed, fixed),
		}),
	}));
}

const labelsAt = (labels: SampleValue, first: number, count: number): number[] =>
	Array.from(rowsOf(labels, first, count).data);

function rowsOf({ type, dims, data }: SampleValue, first: number, count: number): SampleValue {
	const inner = elementCount(dims.slice(1));
	const [start, end] = [first * inner, (first + count) * inner];
	const part = ArrayBuffer.isView(data)
		? (data as Float64Array).subarray(start, end)
		: Array.from(data).slice(start, end);
	return { type, dims: [count, ...dims.slice(1)], data: part };
}
