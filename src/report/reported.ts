/** What reports tell of a build: a part of the document that `build --json` prints. */
import { type Diagnostic } from '../diagnostic.ts';
import { type Certificate, type Drift, type Latency, type Proof } from '../ir/proof.ts';
import { type AmountUnit } from '../messages/amounts.ts';

type Sizes = { readonly params?: number; readonly macs?: number; readonly bytes?: number };
type Choice = 'affine' | 'bias' | 'none';
export type ReportedStep = {
	readonly statement: string;
	readonly selected: number;
	readonly of: number;
	readonly unit: string;
	readonly metric?: string;
	readonly params: readonly [number, number];
	readonly macs: readonly [number, number];
	readonly uncounted?: readonly [number, number];
	readonly removed: readonly { readonly layer: number; readonly units: readonly number[] }[];
	readonly groups?: readonly {
		readonly layer: number;
		readonly label: string;
		readonly units: readonly number[];
		readonly importance: readonly number[];
	}[];
	readonly certificates?: readonly Certificate[];
	readonly reached?: readonly {
		readonly goal: string;
		readonly unit: AmountUnit;
		readonly predicted?: number;
		readonly measured: number;
		readonly by?: string;
	}[];
	readonly compensated?: readonly {
		readonly layer: number;
		readonly norm?: string;
		readonly choice: Choice;
		readonly heldOut: Readonly<Record<Choice, number>>;
		readonly temperature?: number;
	}[];
	readonly proof?: Proof;
	readonly unchanged?: true;
};
/** The document of a build, as far as people are told of it. */
export type Reported = {
	readonly ok: boolean;
	readonly recipe: { readonly path?: string };
	readonly model?: Required<Sizes> & { readonly path: string };
	readonly output?: Sizes & { readonly path?: string };
	readonly inputs?: string;
	readonly statistics?: { readonly fromCache: number; readonly measured: number };
	readonly steps: readonly ReportedStep[];
	readonly drift?: Drift;
	readonly latency?: Latency;
	readonly expectations: readonly { readonly text: string; readonly value?: number; readonly ok: boolean }[];
	readonly diagnostics: readonly Diagnostic[];
};
