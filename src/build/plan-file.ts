/** Plans on disk: `plan.json` with every decision and the hashes of what it was made for, tensors beside it as safetensors. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Fault } from '../diagnostic.ts';
import { byteLength, elementType } from '../ir/graph/dtype.ts';
import { elementCount, type Tensor } from '../ir/graph/graph.ts';
import { inMemory } from '../ir/graph/tensor.ts';
import { unreadable } from '../messages/cli.ts';
import { changed, notPlan } from '../messages/plan.ts';
import { Stage } from '../files/stage.ts';
import { type StepPlan } from '../passes/technique.ts';

export type PlanDocument = {
	readonly schema: 'prunec/plan@1';
	readonly recipe: {
		readonly path?: string;
		readonly sha256: string;
		readonly statements: readonly string[];
	};
	readonly model: { readonly sha256: string; readonly bytes: number };
	readonly inputs: readonly { readonly name: string; readonly dims: readonly number[] }[];
	readonly steps: readonly StepPlan[];
	/** Hash of the tensors' file; absent when there are none. */
	readonly tensors?: string;
	/** Hash of all the rest: a plan is carried out as it was made, or not at all. */
	readonly sha256: string;
};

const tensorsPath = (path: string): string => path.replace(/\.json$/, '') + '.safetensors';
const hash = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
/** Of a document as compact JSON, which reading and printing it again leaves alone. */
const hashOf = (document: object): string => hash(JSON.stringify(document));
const names: Readonly<Record<string, string>> = {
	float32: 'F32',
	float64: 'F64',
	float16: 'F16',
	bfloat16: 'BF16',
};

/** Throws `Fault` when the file exists, unless forced, or cannot be written. */
export function writePlan(
	path: string,
	document: Omit<PlanDocument, 'tensors' | 'sha256'>,
	tensors: ReadonlyMap<string, Tensor>,
	force = false,
): void {
	const bytes = tensors.size === 0 ? undefined : toSafetensors(tensors);
	const body = { ...document, ...(bytes && { tensors: hash(bytes) }) };
	const text = `${JSON.stringify({ ...body, sha256: hashOf(body) }, null, '\t')}\n`;
	const stage = new Stage(dirname(path), { force });
	if (bytes !== undefined) stage.write(tensorsPath(basename(path)), [bytes], bytes.length);
	const encoded = new TextEncoder().encode(text);
	stage.write(basename(path), [encoded], encoded.length);
	stage.commit();
}

/** Throws `Fault` when the plan is not readable, its tensors differ, or it is for another model. */
export function readPlan(
	path: string,
	model: string,
	sha256: string,
): { document: PlanDocument; tensors: Map<string, Tensor> } {
	const fail = (why: string): never => {
		throw new Fault(notPlan({ path, why }));
	};
	const document = parsePlan(readText(path), fail);
	if (document.model.sha256 !== sha256) throw new Fault(changed({ path: model }));
	if (document.tensors === undefined) return { document, tensors: new Map() };
	if (!existsSync(tensorsPath(path))) fail(`'${tensorsPath(path)}' is missing`);
	const bytes = readFileSync(tensorsPath(path));
	if (hash(bytes) !== document.tensors) fail('its tensors are not those it was made with');
	return { document, tensors: fromSafetensors(bytes) };
}

function readText(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch (problem) {
		const missing = (problem as NodeJS.ErrnoException).code === 'ENOENT';
		const cause = missing ? 'there is no such file' : (problem as Error).message;
		throw new Fault(unreadable({ path, cause }));
	}
}

function parsePlan(text: string, fail: (why: string) => never): PlanDocument {
	let document: Partial<PlanDocument> | null;
	try {
		document = JSON.parse(text) as typeof document;
	} catch (problem) {
		return fail(`it is no JSON (${(problem as Error).message})`);
	}
	if (document?.schema !== 'prunec/plan@1') return fail('it is no plan of this version');
	const { sha256, ...body } = document;
	if (sha256 !== hashOf(body)) return fail('it was changed after it was written');
	return document as PlanDocument;
}

/** https://huggingface.co/docs/safetensors: a length, a JSON header, the data without holes. */
function toSafetensors(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
	let offset = 0;
	const entries = [...tensors].map(([name, { type, dims }]) => {
		const length = byteLength(type, elementCount(dims));
		const entry = {
			dtype: names[elementType(type)?.name ?? ''] ?? 'F32',
			shape: dims,
			data_offsets: [offset, offset + length],
		};
		offset += length;
		return [name, entry] as const;
	});
	const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
	const head = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
	new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
	head.set(text, 8);
	return Buffer.concat([
		head,
		...[...tensors.values()].map((tensor) => tensor.bytes?.read() ?? new Uint8Array(0)),
	]);
}

function fromSafetensors(bytes: Uint8Array): Map<string, Tensor> {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const start = 8 + Number(view.getBigUint64(0, true));
	const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start))) as Record<
		string,
		{ dtype: string; shape: number[]; data_offsets: [number, number] }
	>;
	const typeOf = (dtype: string): number =>
		[1, 11, 10, 16].find((code) => names[elementType(code)?.name ?? ''] === dtype) ?? 1;
	return new Map(
		Object.entries(header).map(
			([
				name,
				{
					dtype,
					shape,
					data_offsets: [from, to],
				},
			]) => [
				name,
				{ name, type: typeOf(dtype), dims: shape, bytes: inMemory(bytes.slice(start + from, start + to)) },
			],
		),
	);
}
