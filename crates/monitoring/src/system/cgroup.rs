//! The limits of the control group that this process runs in, versions 1 and 2.
//!
//! Linux only in effect: elsewhere the files are not there, and so there is no limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the groups are that count memory and processors. In version 2 they are one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cgroup {
    memory: Option<Group>,
    cpu: Option<Group>,
    /// Version 1 counts the use of processors in a hierarchy of its own, most often beside the limits.
    cpu_use: Option<Group>,
}

/// A group, and those above it, whose limits hold for it too.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    /// The mount of the hierarchy.
    root: PathBuf,
    path: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The tightest of the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupMemory {
    pub(super) limit_bytes: u64,
    /// What is in use, without the file cache that is given back first.
    ///
    /// **Source:** the working set of the kubelet,
    /// <https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/#memory>.
    pub(super) used_bytes: u64,
}

/// The tightest of the groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GroupCpu {
    /// How many processors it may use.
    pub(super) cores: f64,
    /// The processors' time that it has used so far.
    pub(super) used: Duration,
}

impl Cgroup {
    /// Finds the groups; `system_root` is `/`, or in a test a folder that is laid out like it. A hierarchy of version 1 that has a
    /// controller goes first: with both mounted, version 2 does not have it.
    pub(super) fn of_this_process(system_root: &Path) -> Self {
        let groups = fs::read_to_string(system_root.join("proc/self/cgroup")).unwrap_or_default();
        let mounts = system_root.join("sys/fs/cgroup");
        let (mut two, mut ones) = (None, Self::default());
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let path = PathBuf::from(path.trim_start_matches('/'));
            if controllers.is_empty() {
                two = Some(Group { root: mounts.clone(), path, version: Version::Two });
                continue;
            }
            for controller in controllers.split(',') {
                let of = match controller {
                    "memory" => &mut ones.memory,
                    "cpu" => &mut ones.cpu,
                    "cpuacct" => &mut ones.cpu_use,
                    _ => continue,
                };
                *of = Some(Group { root: mounts.join(controller), path: path.clone(), version: Version::One });
            }
        }
        let cpu_use = if ones.cpu.is_some() { ones.cpu_use } else { two.clone() };
        Self { memory: ones.memory.or_else(|| two.clone()), cpu: ones.cpu.or(two), cpu_use }
    }

    /// The memory of the group with the lowest limit; `None` without a limit.
    pub(super) fn memory(&self) -> Option<GroupMemory> {
        let group = self.memory.as_ref()?;
        let [limit, used, reclaimable] = match group.version {
            Version::One => ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"],
            Version::Two => ["memory.max", "memory.current", "inactive_file"],
        };
        let limits = group.folders().filter_map(|folder| {
            // Without a limit the file says `max`, or in version 1 a number beyond any machine's memory.
            let (limit_bytes, used) = (number(&folder.join(limit))?, number(&folder.join(used))?);
            let reclaimable = keyed(&folder.join("memory.stat"), reclaimable).unwrap_or(0);
            Some(GroupMemory { limit_bytes, used_bytes: used.saturating_sub(reclaimable) })
        });
        limits.min_by_key(|memory| memory.limit_bytes)
    }

    /// As [`memory`](Self::memory), of the swap space.
    pub(super) fn swap(&self) -> Option<GroupMemory> {
        let group = self.memory.as_ref()?;
        let limits = group.folders().filter_map(|folder| {
            let read = |name: &str| number(&folder.join(name));
            let (limit_bytes, used_bytes) = match group.version {
                // It counts both together.
                Version::One => (
                    read("memory.memsw.limit_in_bytes")?.saturating_sub(read("memory.limit_in_bytes")?),
                    read("memory.memsw.usage_in_bytes")?.saturating_sub(read("memory.usage_in_bytes")?),
                ),
                Version::Two => (read("memory.swap.max")?, read("memory.swap.current")?),
            };
            Some(GroupMemory { limit_bytes, used_bytes })
        });
        limits.min_by_key(|swap| swap.limit_bytes)
    }

    /// The processors of the group with the lowest limit; `None` without a limit.
    pub(super) fn cpu(&self) -> Option<GroupCpu> {
        let (limits, uses) = (self.cpu.as_ref()?, self.cpu_use.as_ref()?);
        let each = limits.folders().zip(uses.folders()).filter_map(|(limit, used)| match limits.version {
            Version::One => {
                // Without a limit the quota is -1.
                let quota = number(&limit.join("cpu.cfs_quota_us"))?;
                let cores = part(quota, number(&limit.join("cpu.cfs_period_us"))?)?;
                Some(GroupCpu { cores, used: Duration::from_nanos(number(&used.join("cpuacct.usage"))?) })
            }
            Version::Two => {
                let text = fs::read_to_string(limit.join("cpu.max")).ok()?;
                let (quota, period) = text.trim().split_once(' ')?;
                let cores = part(quota.parse().ok()?, period.parse().ok()?)?;
                Some(GroupCpu { cores, used: Duration::from_micros(keyed(&used.join("cpu.stat"), "usage_usec")?) })
            }
        });
        each.min_by(|a, b| a.cores.total_cmp(&b.cores))
    }
}

impl Group {
    /// The folders of the group and of those above it.
    ///
    /// In a container the files of the host's groups above are not there, and where the group's path is the host's,
    /// only those of the mount are: what cannot be read sets no limit.
    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        self.path.ancestors().map(|path| self.root.join(path))
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of less than a day")]
fn part(quota: u64, period: u64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind a key, in a file of one a line.
fn keyed(path: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(' ')?;
        (found == key).then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lays out files below a folder that stands for `/`.
    fn laid_out(files: &[(&str, &str)]) -> (Cgroup, tempfile::TempDir) {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        // The files are read when they are asked for.
        (Cgroup::of_this_process(root.path()), root)
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Option<(u64, u64)>) {
        let (cgroup, _root) = laid_out(files);
        let memory = cgroup.memory();
        assert_eq!(memory.map(|memory| (memory.limit_bytes, memory.used_bytes)), expected);
    }

    #[test]
    fn a_container_sees_its_group_as_the_root() {
        check(
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.max", "1000\n"),
                ("sys/fs/cgroup/memory.current", "700\n"),
                ("sys/fs/cgroup/memory.stat", "anon 300\ninactive_file 250\nactive_file 150\n"),
            ],
            Some((1000, 450)),
        );
    }

    #[test]
    fn the_tightest_group_above_counts() {
        check(
            &[
                ("proc/self/cgroup", "0::/user.slice/trading.service\n"),
                ("sys/fs/cgroup/user.slice/trading.service/memory.max", "max\n"),
                ("sys/fs/cgroup/user.slice/trading.service/memory.current", "10\n"),
                ("sys/fs/cgroup/user.slice/memory.max", "2000\n"),
                ("sys/fs/cgroup/user.slice/memory.current", "900\n"),
            ],
            Some((2000, 900)),
        );
    }

    #[test]
    fn a_path_of_the_host_leads_to_the_mount() {
        check(
            &[
                ("proc/self/cgroup", "0::/docker/0123abcd\n"),
                ("sys/fs/cgroup/memory.max", "500\n"),
                ("sys/fs/cgroup/memory.current", "20\n"),
            ],
            Some((500, 20)),
        );
    }

    #[test]
    fn version_1_has_names_of_its_own() {
        check(
            &[
                ("proc/self/cgroup", "4:cpu,memory:/job\n1:name=systemd:/\n0::/\n"),
                ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "800\n"),
                ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "300\n"),
                ("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 100\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "300\n"),
            ],
            Some((800, 200)),
        );
    }

    #[track_caller]
    fn check_swap(files: &[(&str, &str)], expected: Option<(u64, u64)>) {
        let (cgroup, _root) = laid_out(files);
        let swap = cgroup.swap();
        assert_eq!(swap.map(|swap| (swap.limit_bytes, swap.used_bytes)), expected);
    }

    #[test]
    fn the_limit_of_swap_stands_alone_or_with_that_of_memory() {
        check_swap(
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.swap.max", "0\n"),
                ("sys/fs/cgroup/memory.swap.current", "0\n"),
            ],
            Some((0, 0)),
        );
        check_swap(
            &[
                ("proc/self/cgroup", "4:memory:/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "800\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "300\n"),
                ("sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "1000\n"),
                ("sys/fs/cgroup/memory/memory.memsw.usage_in_bytes", "350\n"),
            ],
            Some((200, 50)),
        );
        check_swap(&[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.swap.max", "max\n")], None);
    }

    #[track_caller]
    fn check_cpu(files: &[(&str, &str)], expected: Option<(f64, Duration)>) {
        let (cgroup, _root) = laid_out(files);
        assert_eq!(cgroup.cpu().map(|cpu| (cpu.cores, cpu.used)), expected);
    }

    #[test]
    fn the_tightest_quota_of_processors_counts_with_what_its_group_has_used() {
        check_cpu(
            &[
                ("proc/self/cgroup", "0::/pod/container\n"),
                ("sys/fs/cgroup/pod/container/cpu.max", "400000 100000\n"),
                ("sys/fs/cgroup/pod/container/cpu.stat", "usage_usec 5\n"),
                ("sys/fs/cgroup/pod/cpu.max", "150000 100000\n"),
                ("sys/fs/cgroup/pod/cpu.stat", "usage_usec 7000\nuser_usec 6000\n"),
                ("sys/fs/cgroup/cpu.stat", "usage_usec 9000000\n"),
            ],
            Some((1.5, Duration::from_millis(7))),
        );
        let one = |quota| {
            [
                ("proc/self/cgroup", "5:cpu,cpuacct:/job\n0::/\n"),
                ("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", quota),
                ("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n"),
                ("sys/fs/cgroup/cpuacct/job/cpuacct.usage", "7000000\n"),
            ]
        };
        check_cpu(&one("50000\n"), Some((0.5, Duration::from_millis(7))));
        check_cpu(&one("-1\n"), None);
        check_cpu(&[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.max", "max 100000\n")], None);
        check_cpu(&[], None);
    }

    #[test]
    fn without_a_limit_or_a_group_there_is_none() {
        check(&[], None);
        check(&[("proc/self/cgroup", "nonsense\n0::/\n"), ("sys/fs/cgroup/memory.max", "max\n")], None);
    }
}
